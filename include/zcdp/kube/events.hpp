// Events that people see in `kubectl describe`. The same one again within ten minutes raises the count of the first
// instead of making another (as client-go's aggregator does). Failing to write one is logged, never an error.
// Thread rule: any thread; a call blocks for one request.
#pragma once

#include <map>
#include <string>

#include "zcdp/base/guarded.hpp"
#include "zcdp/base/random.hpp"
#include "zcdp/kube/api.hpp"

namespace zcdp::kube {

/// What an event is about.
struct EventObject {
    std::string api_version, kind, ns, name, uid;
};

class EventRecorder {
  public:
    EventRecorder(Api& api, std::string component, std::string host, const Clock& clock, Random& random, Logger& log)
        : api_(api),
          component_(std::move(component)),
          host_(std::move(host)),
          clock_(clock),
          random_(random),
          log_(log) {}
    void normal(const EventObject& about, const std::string& reason, const std::string& message) {
        record(about, "Normal", reason, message);
    }
    void warning(const EventObject& about, const std::string& reason, const std::string& message) {
        record(about, "Warning", reason, message);
    }

  private:
    struct Seen {
        std::string ns, name;
        int64_t count = 1, at_unix_s = 0;
    };
    void record(const EventObject& about, const char* type, const std::string& reason, const std::string& message);
    bool count_again(Seen& seen) ZCDP_REQUIRES(mutex_);
    Api& api_;
    const std::string component_, host_;
    const Clock& clock_;
    Random& random_;
    Logger& log_;
    Mutex mutex_;
    std::map<std::string, Seen> seen_ ZCDP_GUARDED_BY(mutex_);
};

}  // namespace zcdp::kube
