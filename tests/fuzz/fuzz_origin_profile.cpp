// Any bytes as an AWS config or credentials file: refused with the file's name, or settings whose names are single
// lines of it, never more of them a section than the file has lines.
#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "src/origin/s3/profile.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace zcdp;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto lines =
        static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r'; })) + 1;
    const auto sections = origin::s3::parse_sections(text, "FILE");
    if (!sections && (sections.error().kind() != ErrorKind::usage || sections.error().object() != "FILE")) std::abort();
    const auto files = origin::s3::AwsFiles::parse(text, "FILE", text, "FILE");
    if (files.has_value() != sections.has_value()) std::abort();
    if (!files) return 0;
    for (const std::string& name : files->names()) {
        const auto profile = files->profile(name);
        if (!files->has(name) || profile.settings.size() > 2 * lines) std::abort();
        for (const auto& [key, value] : profile.settings)
            if (key.empty() || key.find('\n') != key.npos) std::abort();
        for (const auto& [key, block] : profile.blocks)
            if (!profile.settings.contains(key)) std::abort();
    }
    return 0;
}
