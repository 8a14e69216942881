// Counters, gauges and histograms in one registry, whose text a mode's metrics port serves to Prometheus. What metrics
// there are, and what each says, stands in the layers' metrics.hpp, once.
//
// Thread rule: any thread; add() is one relaxed atomic. A Counter& or Histogram& lives as long as its registry.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

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
    /// "NAME_bucket{LABELS,le=…}", "NAME_sum" and "NAME_count".
    std::string text(std::string_view name, std::string_view labels) const;

  private:
    std::array<std::atomic<uint64_t>, kBounds.size() + 1> buckets_{};
    std::atomic<int64_t> sum_ns_{0};
};

/// A metric's name (for example "zcdp_origin_bytes_total") and its help line.
struct MetricName {
    const char* name;
    const char* help;
};

/// Names and values of one series; values may be any text.
using MetricLabels = std::vector<std::pair<std::string, std::string>>;

class Metrics {
  public:
    /// So many series a metric has at most; what comes later is counted in the one without labels.
    static constexpr size_t kSeriesMax = 1'000;

    Metrics() = default;
    /// A door to `registry`, which outlives it: what is counted through this one has these labels there.
    Metrics(Metrics& registry, MetricLabels labels);
    Metrics(const Metrics&) = delete;
    Metrics& operator=(const Metrics&) = delete;

    /// Made on first use, with this door's labels.
    Counter& counter(const MetricName& metric);
    Counter& gauge(const MetricName& metric);
    Histogram& histogram(const MetricName& metric);
    /// Prometheus text format 0.0.4 of the whole registry, names in order.
    std::string prometheus_text() const;

  private:
    struct Series {
        Counter counter;
        Histogram histogram;  ///< of a histogram alone
    };
    struct Family {
        std::string help;
        const char* type = "";
        std::map<std::string, Series, std::less<>> series;  ///< by its labels, as they are written
    };
    Series& series(const MetricName& metric, const char* type, const std::string& labels);

    Metrics* const registry_ = nullptr;  ///< null: this is it
    const std::string labels_;           ///< name="value",...
    mutable Mutex mutex_;
    std::map<std::string, Family, std::less<>> families_ ZCDP_GUARDED_BY(mutex_);
};

}  // namespace zcdp
