// Any bytes as an AWS config or credentials file: settings whose names and values are single trimmed lines of it, whichever
// profile is asked for, and never more of them than the file has lines.
#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "src/origin/s3/profile.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto lines = static_cast<size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
    for (const std::string_view name : {"default", "a", ""}) {
        for (const bool is_config_file : {true, false}) {
            const auto profile = zcdp::origin::s3::read_profile(text, name, is_config_file);
            if (profile.size() > lines) std::abort();
            for (const auto& [key, value] : profile)
                if (key.empty() || key.find('\n') != key.npos || value.find('\n') != value.npos) std::abort();
        }
    }
    return 0;
}
