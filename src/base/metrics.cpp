#include "zcdp/base/metrics.hpp"

#include <fmt/format.h>

#include <iterator>

namespace zcdp {
namespace {

/// As the text format wants a label's value.
std::string escaped(std::string_view value) {
    std::string out;
    for (const char c : value) {
        if (c == '\\' || c == '"') out += '\\';
        if (c == '\n') out += "\\n";
        else out += c;
    }
    return out;
}

std::string written(const MetricLabels& labels) {
    std::string out;
    for (const auto& [name, value] : labels)
        out += fmt::format("{}{}=\"{}\"", out.empty() ? "" : ",", name, escaped(value));
    return out;
}

std::string in_braces(std::string_view labels) { return labels.empty() ? "" : fmt::format("{{{}}}", labels); }

}  // namespace

Metrics::Metrics(Metrics& registry, MetricLabels labels)
    : registry_(registry.registry_ ? registry.registry_ : &registry),
      labels_(registry.labels_ + (registry.labels_.empty() ? "" : ",") + written(labels)) {}

Metrics::Series& Metrics::series(const MetricName& metric, const char* type, const std::string& labels) {
    if (registry_) return registry_->series(metric, type, labels);
    const MutexLock lock(mutex_);
    Family& family = families_.try_emplace(metric.name).first->second;
    family.help = metric.help, family.type = type;
    if (const auto at = family.series.find(labels); at != family.series.end()) return at->second;
    return family.series[family.series.size() < kSeriesMax ? labels : ""];
}

Counter& Metrics::counter(const MetricName& metric) { return series(metric, "counter", labels_).counter; }
Counter& Metrics::gauge(const MetricName& metric) { return series(metric, "gauge", labels_).counter; }
Histogram& Metrics::histogram(const MetricName& metric) { return series(metric, "histogram", labels_).histogram; }

void Histogram::observe_ns(int64_t ns) {
    size_t bucket = 0;
    while (bucket < kBounds.size() && static_cast<double>(ns) > kBounds[bucket] * 1e9) ++bucket;
    buckets_[bucket].fetch_add(1, std::memory_order_relaxed);
    sum_ns_.fetch_add(ns, std::memory_order_relaxed);
}

std::string Histogram::text(std::string_view name, std::string_view labels) const {
    const std::string before = labels.empty() ? "" : std::string(labels) + ",", own = in_braces(labels);
    std::string out;
    uint64_t count = 0;
    for (size_t i = 0; i < kBounds.size(); ++i) {
        count += buckets_[i].load(std::memory_order_relaxed);
        out += fmt::format("{}_bucket{{{}le=\"{}\"}} {}\n", name, before, kBounds[i], count);
    }
    count += buckets_.back().load(std::memory_order_relaxed);
    out += fmt::format("{0}_bucket{{{1}le=\"+Inf\"}} {3}\n{0}_sum{2} {4:.6f}\n{0}_count{2} {3}\n", name, before, own,
                       count, static_cast<double>(sum_ns_.load()) / 1e9);
    return out;
}

std::string Metrics::prometheus_text() const {
    if (registry_) return registry_->prometheus_text();
    const MutexLock lock(mutex_);
    std::string text;
    for (const auto& [name, family] : families_) {
        text += fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n", name, family.help, family.type);
        for (const auto& [labels, one] : family.series)
            text += std::string_view(family.type) == "histogram"
                        ? one.histogram.text(name, labels)
                        : fmt::format("{}{} {}\n", name, in_braces(labels), one.counter.value());
    }
    return text;
}

}  // namespace zcdp
