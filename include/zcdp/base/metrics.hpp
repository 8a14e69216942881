// Counters, gauges and histograms in one registry, whose text a mode's metrics port serves to Prometheus.
//
// Thread rule: any thread; add() is one relaxed atomic. A Counter& lives as long as its registry.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>

#include "zcdp/base/guarded.hpp"

namespace zcdp {

class Counter {
  public:
    void add(uint64_t by = 1) { value_.fetch_add(by, std::memory_order_relaxed); }
    void set(uint64_t to) { value_.store(to, std::memory_order_relaxed); }
    uint64_t value() const { return value_.load(std::memory_order_relaxed); }

  private:
    std::atomic<uint64_t> value_{0};
};

/// How long something took, in seconds.
class Histogram {
  public:
    static constexpr std::array<double, 8> kBounds{0.001, 0.003, 0.01, 0.1, 1, 10, 100, 1000};
    void observe_ns(int64_t ns);
    /// "NAME_bucket{le=…}", "NAME_sum" and "NAME_count".
    std::string text(std::string_view name) const;

  private:
    std::array<std::atomic<uint64_t>, kBounds.size() + 1> buckets_{};
    std::atomic<int64_t> sum_ns_{0};
};

class Metrics {
  public:
    /// The histogram of this name (for example "zcdp_sync_seconds"), made on first use.
    Histogram& histogram(std::string_view name, std::string_view help);
    /// The counter of this name (for example "zcdp_origin_bytes_total"), made on first use with its help line.
    Counter& counter(std::string_view name, std::string_view help);
    Counter& gauge(std::string_view name, std::string_view help);
    /// Prometheus text format 0.0.4, names in order.
    std::string prometheus_text() const;

  private:
    struct Entry {
        std::string help;
        bool is_gauge = false;
        Counter counter;
    };
    Counter& entry(std::string_view name, std::string_view help, bool is_gauge);
    struct HistogramEntry {
        std::string help;
        Histogram histogram;
    };
    mutable Mutex mutex_;
    std::map<std::string, Entry, std::less<>> entries_ ZCDP_GUARDED_BY(mutex_);
    std::map<std::string, HistogramEntry, std::less<>> histograms_ ZCDP_GUARDED_BY(mutex_);
};

}  // namespace zcdp
