#include "zcdp/base/metrics.hpp"

#include <fmt/format.h>

namespace zcdp {

Counter& Metrics::counter(std::string_view name, std::string_view help) { return entry(name, help, false); }
Counter& Metrics::gauge(std::string_view name, std::string_view help) { return entry(name, help, true); }

Counter& Metrics::entry(std::string_view name, std::string_view help, bool is_gauge) {
    const std::lock_guard lock(mutex_);
    auto at = entries_.find(name);
    if (at == entries_.end()) {
        at = entries_.try_emplace(std::string(name)).first;
        at->second.help = help;
        at->second.is_gauge = is_gauge;
    }
    return at->second.counter;
}

std::string Metrics::prometheus_text() const {
    const std::lock_guard lock(mutex_);
    std::string text;
    for (const auto& [name, entry] : entries_)
        text += fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n{0} {3}\n", name, entry.help,
                            entry.is_gauge ? "gauge" : "counter", entry.counter.value());
    return text;
}

}  // namespace zcdp
