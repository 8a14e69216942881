// `zcdp controller`: decides which node holds what, alone creates and retires NodeDatasets, runs the webhook
// (docs/design.md section 7). Two replicas: both serve the webhook and watch, the one with the lease writes.
// Thread rule: one owner; run() blocks until `stop`.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "zcdp/base/error.hpp"
#include "zcdp/kube/api.hpp"
#include "zcdp/origin/options.hpp"

namespace zcdp::services {

struct ControllerOptions {
    std::string identity;  ///< this replica's name in the lease
    std::string system_namespace = "zcdp-system";
    std::string webhook_listen = "0.0.0.0:8443";
    std::string listen = "0.0.0.0:8080";  ///< metrics and health
    std::string scratch = "/tmp";         ///< takes listings while they run
    std::vector<std::string> cluster_ranges;
    bool webhook = true;
};

/// Blocks until `stop` is requested or an address cannot be listened at (that error).
Result<> run_controller(const ControllerOptions& options, kube::Api& api, Machine machine, std::stop_token stop);

}  // namespace zcdp::services
