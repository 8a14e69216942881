#include "zcdp/base/units.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>

namespace zcdp {
namespace {

struct Decimal {
    double value;
    size_t length;  ///< characters read
};

/// Digits with at most one '.', no sign, no exponent.
std::optional<Decimal> read_decimal(std::string_view text) {
    double value = 0, scale = 0;
    size_t digits = 0, i = 0;
    for (; i < text.size(); ++i) {
        if (text[i] == '.' && scale == 0) {
            scale = 1;
        } else if (text[i] >= '0' && text[i] <= '9') {
            value = value * 10 + (text[i] - '0');
            scale *= 10;
            ++digits;
        } else {
            break;
        }
    }
    if (digits == 0 || text[i - 1] == '.') return std::nullopt;
    return Decimal{scale > 1 ? value / scale : value, i};
}

/// Whole numbers are kept exact: a double has 53 bits only.
std::optional<uint64_t> times(std::string_view number, double value, uint64_t factor) {
    if (number.find('.') == number.npos) {
        uint64_t whole = 0;
        for (const char c : number)
            if (__builtin_mul_overflow(whole, 10u, &whole) ||
                __builtin_add_overflow(whole, static_cast<uint64_t>(c - '0'), &whole))
                return std::nullopt;
        if (__builtin_mul_overflow(whole, factor, &whole)) return std::nullopt;
        return whole;
    }
    const double product = value * static_cast<double>(factor);
    if (product >= 18446744073709551615.0) return std::nullopt;
    return static_cast<uint64_t>(std::llround(product));
}

std::optional<uint64_t> factor_of(std::string_view unit) {
    if (!unit.empty() && (unit.back() == 'B' || unit.back() == 'b')) unit.remove_suffix(1);
    if (unit.empty()) return 1;
    uint64_t base = 1000;
    if (unit.size() == 2 && unit[1] == 'i') base = 1024;
    else if (unit.size() != 1) return std::nullopt;
    const size_t power = std::string_view("kmgtpe").find(static_cast<char>(unit[0] | 0x20));
    if (power == std::string_view::npos || !((unit[0] | 0x20) >= 'a')) return std::nullopt;
    uint64_t factor = 1;
    for (size_t i = 0; i <= power; ++i) factor *= base;
    return factor;
}

}  // namespace

std::optional<uint64_t> parse_size(std::string_view text) {
    const auto number = read_decimal(text);
    if (!number) return std::nullopt;
    const std::string_view digits = text.substr(0, number->length);
    std::string_view unit = text.substr(number->length);
    if (unit.starts_with(' ')) unit.remove_prefix(1);
    const auto factor = factor_of(unit);
    if (!factor) return std::nullopt;
    return times(digits, number->value, *factor);
}

std::optional<uint64_t> parse_rate(std::string_view text) {
    if (text.ends_with("/s")) text.remove_suffix(2);
    return parse_size(text);
}

std::optional<uint64_t> parse_duration_ms(std::string_view text) {
    uint64_t total = 0;
    if (text.empty()) return std::nullopt;
    while (!text.empty()) {
        const auto number = read_decimal(text);
        if (!number) return std::nullopt;
        const std::string_view digits = text.substr(0, number->length);
        text.remove_prefix(number->length);
        uint64_t factor = 1000;
        if (text.starts_with("ms")) {
            factor = 1, text.remove_prefix(2);
        } else if (!text.empty()) {
            switch (text[0]) {
                case 's': factor = 1000; break;
                case 'm': factor = 60'000; break;
                case 'h': factor = 3'600'000; break;
                case 'd': factor = 86'400'000; break;
                default: return std::nullopt;
            }
            text.remove_prefix(1);
        }
        const auto part = times(digits, number->value, factor);
        if (!part || __builtin_add_overflow(total, *part, &total)) return std::nullopt;
    }
    return total;
}

std::string format_size(uint64_t bytes) {
    if (bytes < 1024) return fmt::format("{} B", bytes);
    static constexpr std::array<const char*, 6> units = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = static_cast<double>(bytes) / 1024;
    size_t unit = 0;
    while (value >= 999.5 && unit + 1 < units.size()) value /= 1024, ++unit;
    std::string text = fmt::format("{:.{}f}", value, value < 9.995 ? 2 : value < 99.95 ? 1 : 0);
    if (text.find('.') != text.npos) {
        while (text.back() == '0') text.pop_back();
        if (text.back() == '.') text.pop_back();
    }
    return text + " " + units[unit];
}

std::string format_count(uint64_t count) {
    std::string text = fmt::format("{}", count);
    for (size_t i = text.size(); i > 3; i -= 3) text.insert(i - 3, ",");
    return text;
}

std::string format_duration(uint64_t milliseconds) {
    const uint64_t s = milliseconds / 1000;
    if (s < 60) return fmt::format("{} s", s);
    if (s < 3600) return fmt::format("{}m{:02}s", s / 60, s % 60);
    return fmt::format("{}h{:02}m", s / 3600, s / 60 % 60);
}

}  // namespace zcdp
