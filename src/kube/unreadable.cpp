#include "zcdp/kube/unreadable.hpp"

#include "zcdp/base/error.hpp"
#include "zcdp/kube/metrics.hpp"

namespace zcdp::kube {

std::function<void(const std::string& key, const std::string& error)> tell_unreadable(const char* plural, Logger& log,
                                                                                      Metrics& metrics) {
    Counter& count = metrics.counter(metric::unreadable);
    return [plural, &log, &count](const std::string& key, const std::string& error) {
        count.add();
        log.warn("an object cannot be read: its last readable state counts, and it is not acted on further",
                 {{"kind", plural}, {"key", printable(key)}, {"error", printable(error)}});
    };
}

}  // namespace zcdp::kube
