// Letters and digits of ASCII, whatever the locale; other bytes stay as they are. Pure.
#pragma once

#include <string>
#include <string_view>

namespace zcdp {

constexpr char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }  ///< A to Z
std::string to_lower(std::string_view text);

constexpr bool is_letter(char c) { return to_lower(c) >= 'a' && to_lower(c) <= 'z'; }         ///< A to Z, a to z
constexpr bool is_letter_or_digit(char c) { return is_letter(c) || (c >= '0' && c <= '9'); }  ///< and 0 to 9

/// Whether both are the same but for the case of their letters.
bool equal_ignoring_case(std::string_view a, std::string_view b);

/// Without the bytes of `blanks` at both ends.
std::string_view trimmed(std::string_view text, std::string_view blanks = " \t");

/// 0 to 15 for a hex digit in either case, else -1.
constexpr int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    const char small = to_lower(c);
    return small >= 'a' && small <= 'f' ? small - 'a' + 10 : -1;
}

/// What an even number of hex digits in either case says; "" for anything else. The way back: to_hex(), digest.hpp.
std::string bytes_from_hex(std::string_view hex);

}  // namespace zcdp
