// `zcdp install` and `zcdp uninstall`: the manifests that the executable carries, applied, waited for, and taken away.
// Thread rule: one thread; every call blocks.
#pragma once

#include <functional>
#include <stop_token>
#include <string>

#include "zcdp/base/error.hpp"
#include "zcdp/kube/api.hpp"

namespace zcdp::services {

struct InstallOptions {
    std::string image = "zcdp:latest";
    std::string cluster_ranges;  ///< comma-separated CIDRs for --cluster-range of agent and controller
    uint64_t timeout_ms = 180'000;
};

/// The manifests as YAML, ready for kubectl apply.
std::string manifests_yaml(const InstallOptions& options);

/// Says each step as one line.
using Say = std::function<void(const std::string&)>;

/// Applies all, then waits until the controller and every node's agent are ready. Errors: of the API; timeout, naming
/// what is not ready.
Result<> install(kube::Api& api, const InstallOptions& options, const Say& say, const Clock& clock,
                 std::stop_token stop);

/// Refuses (busy) while a pod mounts a dataset, and names it. Else takes claims, data, DaemonSet and CRDs away, in this
/// order, and leaves nothing. Also works on what is left of an uninstall that broke off.
Result<> uninstall(kube::Api& api, const InstallOptions& options, const Say& say, const Clock& clock,
                   std::stop_token stop);

}  // namespace zcdp::services
