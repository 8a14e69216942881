// Time as an interface, made in main, so that tests set it.
// Thread rule: every implementation may be called from any thread.
#pragma once

#include <cstdint>
#include <string>

namespace zcdp {

class Clock {
  public:
    virtual ~Clock() = default;
    /// Nanoseconds since 1970-01-01 UTC; may jump.
    virtual int64_t unix_ns() const = 0;
    /// Nanoseconds since some fixed point; never goes back.
    virtual int64_t monotonic_ns() const = 0;

    int64_t unix_s() const { return unix_ns() / 1'000'000'000; }
};

/// The machine's: CLOCK_REALTIME, CLOCK_MONOTONIC.
Clock& system_clock();

/// A clock that stands still until told.
class ManualClock final : public Clock {
  public:
    explicit ManualClock(int64_t unix_ns_at_start) : unix_ns_(unix_ns_at_start) {}
    int64_t unix_ns() const override { return unix_ns_; }
    int64_t monotonic_ns() const override { return monotonic_ns_; }
    void advance_ns(int64_t by) { unix_ns_ += by, monotonic_ns_ += by; }
    void jump_ns(int64_t by) { unix_ns_ += by; }

  private:
    int64_t unix_ns_;
    int64_t monotonic_ns_ = 0;
};

/// "2026-01-02T03:04:05Z" and "20260102T030405Z" (SigV4) and "Fri, 02 Jan 2026 03:04:05 GMT" (HTTP), all UTC.
std::string iso8601(int64_t unix_s);
std::string amz_date(int64_t unix_s);
std::string http_date(int64_t unix_s);
/// The inverse of http_date (IMF-fixdate only) and of iso8601 (fractions are dropped); -1 when it is neither.
int64_t parse_http_date(const std::string& text);
int64_t parse_iso8601(const std::string& text);

}  // namespace zcdp
