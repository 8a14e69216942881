// `zcdp agent`: the DaemonSet's process. Owns the node's store, keeps its NodeDatasets true, mounts datasets into pods,
// and takes `zcdp sync` and `zcdp store` of its node over a unix socket (docs/design.md section 7).
//
// Thread rule: one owner; run() blocks until `stop`. Mounts live on when it ends, however it ends.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "zcdp/base/error.hpp"
#include "zcdp/kube/api.hpp"
#include "zcdp/origin/options.hpp"

namespace zcdp::services {

struct AgentOptions {
    std::string node;  ///< spec.nodeName of its pod
    std::string store = "/var/lib/zcdp";
    std::string socket = "/run/zcdp/agent.sock";
    std::string registration = "/var/lib/kubelet/plugins_registry/zcdp.io-reg.sock";
    std::string listen = "0.0.0.0:8080";  ///< metrics and health
    std::string system_namespace = "zcdp-system";
    std::string controller_url = "https://zcdp-controller.zcdp-system.svc";
    std::string token_file = "/var/run/secrets/zcdp/token";  ///< the agent's token for the controller
    std::vector<std::string> cluster_ranges;
    unsigned syncs_at_once = 2;
    std::string peer_listen = "0.0.0.0:7443";  ///< for other nodes' agents; "" or "none": no peers
    std::string peer_address;                  ///< as they are told; port 0: the one that is listened at; "": no peers
    unsigned peer_slots = 6;                   ///< pieces sent to them at once
    uint64_t peer_bytes_per_second = 0;        ///< sent to all of them together; 0: no limit
    bool peer_plain = false;                   ///< without TLS: whoever reaches the port gets every dataset
    unsigned high_watermark_percent = 80, low_watermark_percent = 70;
    std::string version;
};

/// Blocks until `stop` is requested or something fails that the agent cannot go on without. Errors: those of the store,
/// the sockets and the address to listen at.
Result<> run_agent(const AgentOptions& options, kube::Api& api, Machine machine, std::stop_token stop);

}  // namespace zcdp::services
