// Any bytes as a listing, in any pieces: a page or an error, and the same whichever way it is cut. Any bytes as the
// body of an error: what is said of it is one line.
#include <cstdlib>
#include <string>

#include "src/origin/s3/answers.hpp"
#include "src/origin/s3/list_page.hpp"

namespace {

/// An answer without headers, whose body was read already.
class Answer final : public zcdp::net::Response {
  public:
    int status() const override { return 400; }
    std::string_view header(std::string_view) const override { return {}; }
    std::optional<uint64_t> body_bytes() const override { return std::nullopt; }
    zcdp::Task<zcdp::Result<size_t>> read_some(std::span<std::byte>) override { co_return size_t{0}; }
    zcdp::Task<zcdp::Result<std::string>> read_all(size_t) override { co_return std::string(); }
    const std::string& peer() const override { return peer_; }

  private:
    std::string peer_;
};

std::string outcome(std::string_view text, size_t step) {
    zcdp::origin::s3::ListParser parser;
    for (size_t at = 0; at < text.size(); at += step)
        if (!parser.feed(text.substr(at, step))) return "refused";
    const auto page = parser.finish();
    if (!page) return "refused";
    std::string all = page->next_token + (page->truncated ? "+" : "-");
    for (const auto& entry : page->entries)
        all += entry.path + "\n" + entry.tag.str() + std::to_string(entry.size_bytes);
    return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (outcome(text, size + 1) != outcome(text, 7)) std::abort();
    const auto error = zcdp::origin::s3::error_of(zcdp::origin::s3::parse_error(Answer(), text), "o");
    if (error.line().find('\n') != std::string::npos) std::abort();
    return 0;
}
