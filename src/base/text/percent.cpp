#include "zcdp/base/percent.hpp"

#include "zcdp/base/ascii.hpp"

namespace zcdp {
namespace {

bool is_unreserved(char c) { return is_letter_or_digit(c) || c == '-' || c == '.' || c == '_' || c == '~'; }

}  // namespace

void append_uri_encoded(std::string& out, std::string_view text, bool keep_slash) {
    static constexpr char kDigits[] = "0123456789ABCDEF";
    for (const char c : text) {
        if (is_unreserved(c) || (c == '/' && keep_slash)) {
            out += c;
            continue;
        }
        const auto byte = static_cast<unsigned char>(c);
        out += '%';
        out += kDigits[byte >> 4];
        out += kDigits[byte & 15];
    }
}

std::string uri_encode(std::string_view text, bool keep_slash) {
    std::string out;
    out.reserve(text.size() + 8);
    append_uri_encoded(out, text, keep_slash);
    return out;
}

std::string uri_encode_pairs(const std::vector<std::pair<std::string, std::string>>& pairs) {
    std::string out;
    for (const auto& [name, value] : pairs) {
        if (!out.empty()) out += '&';
        append_uri_encoded(out, name, false);
        out += '=';
        append_uri_encoded(out, value, false);
    }
    return out;
}

bool percent_decode(std::string& text, bool plus) {
    size_t from = 0;
    while (from < text.size() && text[from] != '%' && (!plus || text[from] != '+')) ++from;
    size_t to = from;
    for (; from < text.size(); ++from) {
        char c = text[from];
        if (plus && c == '+') c = ' ';
        if (c == '%') {
            const int high = from + 2 < text.size() ? hex_digit(text[from + 1]) : -1;
            const int low = high < 0 ? -1 : hex_digit(text[from + 2]);
            if (low < 0) return false;
            c = static_cast<char>(high << 4 | low);
            from += 2;
        }
        text[to++] = c;
    }
    text.resize(to);
    return true;
}

}  // namespace zcdp
