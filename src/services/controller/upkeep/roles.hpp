// The Role that lets agents read exactly the Secrets and CA bundles that StorageBackends name, and zcdp's own CA
// certificate. The leader keeps it. Thread rule: any thread.
#pragma once

#include <string>

#include "src/services/controller/world.hpp"
#include "zcdp/base/guarded.hpp"

namespace zcdp::services::controller {

class AgentRole {
  public:
    AgentRole(kube::Api& api, std::string ns, const World& world)
        : api_(api), namespace_(std::move(ns)), world_(world) {}
    /// Writes the Role if it should say something else than what was written last; looked at anew, than what it says.
    Result<> keep(bool look = false);

  private:
    kube::Api& api_;
    const std::string namespace_;
    const World& world_;
    Mutex mutex_;
    std::string written_ ZCDP_GUARDED_BY(mutex_);
};

/// The Role's rules for these backends. Pure.
kube::json::array agent_rules(const Objects<api::StorageBackend>& backends);

}  // namespace zcdp::services::controller
