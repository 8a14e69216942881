#include "zcdp/base/ascii.hpp"

#include <algorithm>

namespace zcdp {

std::string to_lower(std::string_view text) {
    std::string out(text);
    for (char& c : out) c = to_lower(c);
    return out;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
    return a.size() == b.size() &&
           std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return to_lower(x) == to_lower(y); });
}

std::string_view trimmed(std::string_view text, std::string_view blanks) {
    const size_t begin = text.find_first_not_of(blanks);
    if (begin == text.npos) return {};
    return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

std::string bytes_from_hex(std::string_view hex) {
    if (hex.size() % 2 != 0) return "";
    std::string bytes;
    for (size_t at = 0; at < hex.size(); at += 2) {
        const int high = hex_digit(hex[at]), low = hex_digit(hex[at + 1]);
        if (high < 0 || low < 0) return "";
        bytes += static_cast<char>(high << 4 | low);
    }
    return bytes;
}

}  // namespace zcdp
