// The machine's clock and the three date formats that protocols write.
#include "zcdp/base/clock.hpp"

#include <fmt/compile.h>
#include <fmt/format.h>
#include <time.h>

#include <array>
#include <string_view>

namespace zcdp {
namespace {

constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::array<std::string_view, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

struct tm utc(int64_t unix_s) {
    struct tm parts{};
    const time_t seconds = unix_s;
    gmtime_r(&seconds, &parts);
    return parts;
}

int64_t read_clock(clockid_t id) {
    timespec now{};
    clock_gettime(id, &now);
    return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

/// The `digits` decimal digits at `at`, or -1.
int number(std::string_view text, size_t at, size_t digits) {
    if (at + digits > text.size()) return -1;
    int value = 0;
    for (const char c : text.substr(at, digits)) {
        if (c < '0' || c > '9') return -1;
        value = value * 10 + (c - '0');
    }
    return value;
}

/// Seconds since 1970 of a civil date that exists, else -1.
int64_t to_unix(int year, int month, int day, int hour, int minute, int second) {
    if (year < 1970 || month < 1 || month > 12 || day < 1 || hour < 0 || hour > 23 || minute < 0 || minute > 59 ||
        second < 0 || second > 60)
        return -1;
    struct tm parts{};
    parts.tm_year = year - 1900, parts.tm_mon = month - 1, parts.tm_mday = day;
    parts.tm_hour = hour, parts.tm_min = minute, parts.tm_sec = second;
    const int64_t seconds = timegm(&parts);
    return utc(seconds - second % 60).tm_mday == day || second == 60 ? seconds : -1;
}

class SystemClock final : public Clock {
  public:
    int64_t unix_ns() const override { return read_clock(CLOCK_REALTIME); }
    int64_t monotonic_ns() const override { return read_clock(CLOCK_MONOTONIC); }
};

}  // namespace

Clock& system_clock() {
    static SystemClock clock;
    return clock;
}

std::string iso8601(int64_t unix_s) {
    const struct tm t = utc(unix_s);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", t.tm_year + 1900, t.tm_mon + 1, t.tm_mday, t.tm_hour,
                       t.tm_min, t.tm_sec);
}

std::string amz_date(int64_t unix_s) {
    const struct tm t = utc(unix_s);
    return fmt::format("{:04}{:02}{:02}T{:02}{:02}{:02}Z", t.tm_year + 1900, t.tm_mon + 1, t.tm_mday, t.tm_hour,
                       t.tm_min, t.tm_sec);
}

std::string http_date(int64_t unix_s) {
    const struct tm t = utc(unix_s);
    return fmt::format(FMT_COMPILE("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT"), kDays[static_cast<size_t>(t.tm_wday)],
                       t.tm_mday, kMonths[static_cast<size_t>(t.tm_mon)], t.tm_year + 1900, t.tm_hour, t.tm_min,
                       t.tm_sec);
}

int64_t parse_http_date(const std::string& text) {
    const std::string_view t = text;
    if (t.size() != 29 || t.substr(3, 2) != ", " || t.substr(25) != " GMT" || t[7] != ' ' || t[11] != ' ' ||
        t[16] != ' ' || t[19] != ':' || t[22] != ':')
        return -1;
    int month = 0;
    for (size_t i = 0; i < kMonths.size(); ++i)
        if (t.substr(8, 3) == kMonths[i]) month = static_cast<int>(i) + 1;
    return to_unix(number(t, 12, 4), month, number(t, 5, 2), number(t, 17, 2), number(t, 20, 2), number(t, 23, 2));
}

int64_t parse_iso8601(const std::string& text) {
    const std::string_view t = text;
    if (t.size() < 20 || t[4] != '-' || t[7] != '-' || t[10] != 'T' || t[13] != ':' || t[16] != ':' || t.back() != 'Z')
        return -1;
    if (t.size() > 20) {  // ".123Z"
        const std::string_view fraction = t.substr(20, t.size() - 21);
        if (t[19] != '.' || fraction.empty() || fraction.find_first_not_of("0123456789") != fraction.npos) return -1;
    }
    return to_unix(number(t, 0, 4), number(t, 5, 2), number(t, 8, 2), number(t, 11, 2), number(t, 14, 2),
                   number(t, 17, 2));
}

}  // namespace zcdp
