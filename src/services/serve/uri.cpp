#include "uri.hpp"

namespace zcdp::s3door {

namespace {

int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool unreserved(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_' || c == '~';
}

bool parse_query(std::string_view text, Query& query) {
    while (!text.empty()) {
        const size_t end = text.find('&');
        const std::string_view item = text.substr(0, end);
        text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
        if (item.empty()) continue;
        const size_t equals = item.find('=');
        auto name = percent_decode(item.substr(0, equals), true);
        auto value = percent_decode(equals == std::string_view::npos ? std::string_view() : item.substr(equals + 1), true);
        if (!name || !value) return false;
        query.emplace_back(std::move(*name), std::move(*value));
    }
    return true;
}

}  // namespace

std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space) {
    std::string out;
    out.reserve(text.size());
    for (size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '%') {
            if (text.size() - i < 3) return std::nullopt;
            const int high = hex_value(text[i + 1]), low = hex_value(text[i + 2]);
            if (high < 0 || low < 0) return std::nullopt;
            out.push_back(static_cast<char>(high * 16 + low));
            i += 2;
        } else {
            out.push_back(plus_is_space && text[i] == '+' ? ' ' : text[i]);
        }
    }
    return out;
}

void append_percent_encoded(std::string& out, std::string_view text, bool keep_slash) {
    static constexpr char kDigits[] = "0123456789ABCDEF";
    for (const char c : text) {
        if (unreserved(c) || (keep_slash && c == '/')) {
            out.push_back(c);
        } else {
            const auto byte = static_cast<unsigned char>(c);
            out.push_back('%');
            out.push_back(kDigits[byte >> 4]);
            out.push_back(kDigits[byte & 15]);
        }
    }
}

const std::string* Target::find(std::string_view name) const {
    for (const auto& [key_name, value] : query) {
        if (key_name == name) return &value;
    }
    return nullptr;
}

std::optional<Target> parse_target(std::string_view text) {
    if (text.empty() || text.front() != '/') return std::nullopt;
    const size_t question = text.find('?');
    auto path = percent_decode(text.substr(0, question), false);
    if (!path) return std::nullopt;
    Target target;
    if (question != std::string_view::npos && !parse_query(text.substr(question + 1), target.query)) return std::nullopt;
    const size_t slash = path->find('/', 1);
    target.bucket = path->substr(1, slash == std::string::npos ? slash : slash - 1);
    if (slash != std::string::npos) target.key = path->substr(slash + 1);
    target.path = std::move(*path);
    return target;
}

}  // namespace zcdp::s3door
