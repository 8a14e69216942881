// Sizes, rates, durations and counts between people and numbers. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace zcdp {

/// "32MiB", "1.5GiB", "64k", "100M", "4096": IEC with i, SI without, an optional B; nullopt otherwise or on overflow.
std::optional<uint64_t> parse_size(std::string_view text);
/// The same with an optional "/s".
std::optional<uint64_t> parse_rate(std::string_view text);
/// "500ms", "30s", "5m", "1h30m", "2d", or plain seconds "30"; in milliseconds.
std::optional<uint64_t> parse_duration_ms(std::string_view text);

/// "1.5 GiB" (three significant digits).
std::string format_size(uint64_t bytes);
/// "1 234 567" -> "1,234,567".
std::string format_count(uint64_t count);
/// "42 s", "3m12s", "1h02m".
std::string format_duration(uint64_t milliseconds);

}  // namespace zcdp
