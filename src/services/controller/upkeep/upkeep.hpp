// What zcdp set up in the cluster and cannot work without: the webhook's configuration, the CSI driver's object, the
// Service, the agents' rights. Somebody may change or delete it (GitOps, Helm, `kubectl replace`), and then pods start
// without their data, silently: so the leader puts it back. What people may set otherwise (the webhook's selectors,
// failurePolicy, timeouts, labels) is theirs.
//
// The controller's own rights cannot be put back by itself: `zcdp install` does that.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "zcdp/base/metrics.hpp"
#include "zcdp/kube/informer.hpp"

namespace zcdp::services::controller {

/// Of a manifest, what zcdp cannot work without; nullopt when the controller does not keep such an object. Pure.
std::optional<kube::json::object> essential_part(const kube::json::object& manifest);

/// Whether `have` says all that `wanted` says: objects member by member, lists whose members have names by name, other
/// lists whole. Pure.
bool says(const kube::json::value& have, const kube::json::value& wanted);

/// Thread rule: one thread.
class Upkeep {
  public:
    Upkeep(kube::Api& api, Metrics& metrics, Logger& log);
    /// Looks at each object and puts back what is not as it has to be; the leader's work. Errors: the first; the others
    /// were tried, too.
    Result<> keep();

  private:
    struct Kept {
        const kube::Resource* resource;
        std::string ns, name;
        kube::json::object manifest, essential;
    };
    Result<> keep(const Kept& one);
    kube::Api& api_;
    Metrics& metrics_;
    Logger& log_;
    std::vector<Kept> kept_;
};

/// Watches all that is kept (also the CA's Secret and ConfigMap), and tells that something may have changed. It says
/// too much rather than too little, and nothing while it cannot watch: look also without it. Thread rule: any thread; a
/// thread of its own for each object.
class Tripwires {
  public:
    /// `api`, `random` and `log` must outlive it.
    Tripwires(kube::Api& api, const std::string& system_namespace, Random& random, Logger& log);
    ~Tripwires();
    /// Whether anything has happened since the last call.
    bool take() { return tripped_.exchange(false); }
    bool tripped() const { return tripped_; }

  private:
    class Wire;
    std::atomic<bool> tripped_{false};
    std::vector<std::unique_ptr<Wire>> wires_;
};

}  // namespace zcdp::services::controller
