// Leader election over a coordination.k8s.io Lease, as client-go does it: whoever's name is in it and renews it leads;
// others take it when it was not renewed for its whole duration, measured by their own monotonic clock.
//
// Thread rule: one thread calls step(); is_leader() from any. A leader that could not renew for `renew_deadline_ms`
// stops being one by its own clock, before anybody else may take over: renew_deadline < duration.
#pragma once

#include <atomic>
#include <string>

#include "zcdp/base/guarded.hpp"
#include "zcdp/kube/api.hpp"

namespace zcdp::kube {

struct LeaseOptions {
    std::string ns, name, identity;
    uint32_t duration_s = 15;
    uint32_t renew_deadline_ms = 10'000;
    uint32_t retry_ms = 2'000;
};

class LeaderLease {
  public:
    LeaderLease(Api& api, LeaseOptions options, const Clock& clock, Logger& log);
    /// Tries to get or renew; call it every retry_ms. True while this is the leader.
    bool step();
    /// Whether writes are allowed now; false as soon as the deadline has passed, also between steps.
    bool is_leader() const;
    /// Gives it up, so that another need not wait.
    void release();
    /// Who leads, as last seen.
    std::string holder() const;

  private:
    ApiResult<> try_take();
    json::object lease_object(const std::string& holder, int64_t transitions) const;
    Api& api_;
    const LeaseOptions options_;
    const Clock& clock_;
    Logger& log_;
    // Of the thread that steps.
    std::string seen_version_, acquired_;
    int64_t seen_at_ns_ = 0;
    mutable Mutex mutex_;
    std::string seen_holder_ ZCDP_GUARDED_BY(mutex_);
    std::atomic<int64_t> leads_until_ns_{0};
};

}  // namespace zcdp::kube
