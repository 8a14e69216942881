// What `zcdp status` and `zcdp explain` say of a cluster: read once, said as text or as JSON.
// Thread rule: one thread; every call blocks.
#pragma once

#include <string>
#include <vector>

#include "zcdp/base/error.hpp"
#include "zcdp/kube/api.hpp"

namespace zcdp::services {

/// One dataset on one node.
struct StatusNode {
    std::string node, phase, progress, reason, message;
    uint64_t bytes_done = 0, bytes_total = 0, bytes_per_second = 0, eta_seconds = 0;
    uint64_t origin_bytes = 0, peer_bytes = 0, reused_bytes = 0;  ///< where they came from
    size_t pods = 0;
    uint32_t neighbours = 0;  ///< nodes that are asked for it, or were
    size_t troubled = 0;      ///< nodes that are banned, unreachable or slow
};
struct StatusDataset {
    std::string ns, name, phase, ready, size, reason, message, snapshot;
    uint64_t bytes = 0, origin_bytes = 0, peer_bytes = 0, reused_bytes = 0;
    std::vector<StatusNode> nodes;
};
struct ClusterStatus {
    std::vector<StatusDataset> datasets;
    size_t nodes = 0, agents_ready = 0, controllers_ready = 0;
};
/// "12 GiB from the origin, 36 GiB from other nodes, 1 GiB reused", without what is 0; "" when all is.
std::string sources_text(uint64_t origin_bytes, uint64_t peer_bytes, uint64_t reused_bytes);

/// `ns` "" is all namespaces. Errors: not_found: zcdp is not installed; those of the API.
Result<ClusterStatus> cluster_status(kube::Api& api, const std::string& ns);

/// The one thing that blocks, and what to do about it.
struct Explanation {
    bool fine = false;  ///< nothing blocks
    std::string step;   ///< what blocks, as one word: "gate", "listing", "credentials", "space", …
    std::string message, hint;
    std::vector<std::string> peers = {};  ///< of a dataset or a node: what it came with from other nodes, a line each
};
/// kind: pod, dataset, claim or node. Errors: usage; not_found: there is no such object.
Result<Explanation> explain(kube::Api& api, const std::string& kind, const std::string& ns, const std::string& name);

}  // namespace zcdp::services
