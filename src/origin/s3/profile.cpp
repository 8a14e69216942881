#include "src/origin/s3/profile.hpp"

namespace zcdp::origin::s3 {
namespace {

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view blank = " \t\r";
    const size_t begin = text.find_first_not_of(blank);
    if (begin == text.npos) return {};
    return text.substr(begin, text.find_last_not_of(blank) - begin + 1);
}

/// "[profile a]" -> "a"; in a credentials file "[a]" -> "a".
bool section_is(std::string_view line, std::string_view name, bool is_config_file) {
    const size_t end = line.find(']');
    if (end == line.npos) return false;
    std::string_view section = trimmed(line.substr(1, end - 1));
    if (is_config_file && name != "default") {
        if (!section.starts_with("profile")) return false;
        section = trimmed(section.substr(7));
    } else if (is_config_file && section == "profile default") {
        return true;
    }
    return section == name;
}

}  // namespace

Profile read_profile(std::string_view file, std::string_view name, bool is_config_file) {
    Profile profile;
    bool inside = false;
    while (!file.empty()) {
        const size_t end = file.find('\n');
        const std::string_view raw = file.substr(0, end);
        file = end == file.npos ? std::string_view() : file.substr(end + 1);
        std::string_view line = trimmed(raw);
        if (line.empty() || line[0] == '#' || line[0] == ';') continue;
        if (line[0] == '[') {
            inside = section_is(line, name, is_config_file);
            continue;
        }
        // An indented line belongs to a nested setting (s3 =), none of which matters here.
        if (!inside || raw[0] == ' ' || raw[0] == '\t') continue;
        const size_t equals = line.find('=');
        if (equals == line.npos || trimmed(line.substr(0, equals)).empty()) continue;
        std::string_view value = trimmed(line.substr(equals + 1));
        if (const size_t comment = value.find(" #"); comment != value.npos) value = trimmed(value.substr(0, comment));
        profile[std::string(trimmed(line.substr(0, equals)))] = value;
    }
    return profile;
}

}  // namespace zcdp::origin::s3
