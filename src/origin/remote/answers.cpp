#include "src/origin/remote/answers.hpp"

#include <algorithm>
#include <charconv>

namespace zcdp::origin {

bool to_number(std::string_view text, uint64_t& value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return !text.empty() && error == std::errc() && end == text.data() + text.size();
}

std::optional<ContentRange> parse_content_range(std::string_view value) {
    if (!value.starts_with("bytes ")) return std::nullopt;
    value.remove_prefix(6);
    const size_t dash = value.find('-'), slash = value.find('/');
    if (dash == value.npos || slash == value.npos || slash < dash) return std::nullopt;
    ContentRange range;
    if (!to_number(value.substr(0, dash), range.first) || !to_number(value.substr(dash + 1, slash - dash - 1), range.last) ||
        !to_number(value.substr(slash + 1), range.total))
        return std::nullopt;
    return range;
}

std::string plain_tag(std::string_view etag) {
    if (etag.starts_with("W/")) etag.remove_prefix(2);
    if (etag.size() >= 2 && etag.front() == '"' && etag.back() == '"') etag = etag.substr(1, etag.size() - 2);
    return std::string(etag);
}

uint64_t retry_after_ms_of(const net::Response& answer) {
    uint64_t seconds = 0;
    return to_number(answer.header("retry-after"), seconds) ? std::min<uint64_t>(seconds, 60) * 1000 : 0;
}

std::string uri_encode(std::string_view text, bool keep_slash) {
    static constexpr char digits[] = "0123456789ABCDEF";
    std::string out;
    out.reserve(text.size() + 8);
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        const bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
                           c == '.' || c == '_' || c == '~' || (c == '/' && keep_slash);
        if (plain) {
            out += c;
        } else {
            out += '%';
            out += digits[byte >> 4];
            out += digits[byte & 15];
        }
    }
    return out;
}

}  // namespace zcdp::origin
