// Any bytes as a listing, in any pieces: a page or an error, and the same whichever way it is cut.
#include <cstdlib>
#include <string>

#include "src/origin/s3/list_page.hpp"

namespace {

std::string outcome(std::string_view text, size_t step) {
    zcdp::origin::s3::ListParser parser;
    for (size_t at = 0; at < text.size(); at += step)
        if (!parser.feed(text.substr(at, step))) return "refused";
    const auto page = parser.finish();
    if (!page) return "refused";
    std::string all = page->next_token + (page->truncated ? "+" : "-");
    for (const auto& entry : page->entries) all += entry.path + "\n" + entry.tag + std::to_string(entry.size_bytes);
    return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (outcome(text, size + 1) != outcome(text, 7)) std::abort();
    return 0;
}
