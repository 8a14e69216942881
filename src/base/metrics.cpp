#include "zcdp/base/metrics.hpp"

#include <fmt/format.h>

namespace zcdp {

Counter& Metrics::counter(std::string_view name, std::string_view help) { return entry(name, help, false); }
Counter& Metrics::gauge(std::string_view name, std::string_view help) { return entry(name, help, true); }

Counter& Metrics::entry(std::string_view name, std::string_view help, bool is_gauge) {
    const MutexLock lock(mutex_);
    auto at = entries_.find(name);
    if (at == entries_.end()) {
        at = entries_.try_emplace(std::string(name)).first;
        at->second.help = help;
        at->second.is_gauge = is_gauge;
    }
    return at->second.counter;
}

void Histogram::observe_ns(int64_t ns) {
    size_t bucket = 0;
    while (bucket < kBounds.size() && static_cast<double>(ns) > kBounds[bucket] * 1e9) ++bucket;
    buckets_[bucket].fetch_add(1, std::memory_order_relaxed);
    sum_ns_.fetch_add(ns, std::memory_order_relaxed);
}

std::string Histogram::text(std::string_view name) const {
    std::string out;
    uint64_t count = 0;
    for (size_t i = 0; i < kBounds.size(); ++i) {
        count += buckets_[i].load(std::memory_order_relaxed);
        out += fmt::format("{}_bucket{{le=\"{}\"}} {}\n", name, kBounds[i], count);
    }
    count += buckets_.back().load(std::memory_order_relaxed);
    out += fmt::format("{0}_bucket{{le=\"+Inf\"}} {1}\n{0}_sum {2:.6f}\n{0}_count {1}\n", name, count,
                       static_cast<double>(sum_ns_.load()) / 1e9);
    return out;
}

Histogram& Metrics::histogram(std::string_view name, std::string_view help) {
    const MutexLock lock(mutex_);
    auto at = histograms_.find(name);
    if (at == histograms_.end()) {
        at = histograms_.try_emplace(std::string(name)).first;
        at->second.help = help;
    }
    return at->second.histogram;
}

std::string Metrics::prometheus_text() const {
    const MutexLock lock(mutex_);
    std::string text;
    for (const auto& [name, entry] : entries_)
        text += fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n{0} {3}\n", name, entry.help,
                            entry.is_gauge ? "gauge" : "counter", entry.counter.value());
    for (const auto& [name, entry] : histograms_)
        text += fmt::format("# HELP {0} {1}\n# TYPE {0} histogram\n{2}", name, entry.help, entry.histogram.text(name));
    return text;
}

}  // namespace zcdp
