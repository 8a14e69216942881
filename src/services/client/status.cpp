#include <algorithm>
#include <set>
#include <utility>

#include "src/services/client/read.hpp"
#include "zcdp/base/units.hpp"
#include "zcdp/services/cluster_view.hpp"

namespace zcdp::services {

std::string sources_text(uint64_t origin_bytes, uint64_t peer_bytes, uint64_t reused_bytes) {
    std::string out;
    for (const auto& [bytes, where] :
         {std::pair{origin_bytes, " from the origin"}, {peer_bytes, " from other nodes"}, {reused_bytes, " reused"}})
        if (bytes > 0) out += (out.empty() ? "" : ", ") + format_size(bytes) + where;
    return out;
}

Result<ClusterStatus> cluster_status(kube::Api& api, const std::string& ns) {
    ClusterStatus out;
    ZCDP_TRY(const auto datasets, read_all<api::Dataset>(api, kube::resources::datasets, ns));
    ZCDP_TRY(const auto held, read_all<api::NodeDataset>(api, kube::resources::node_datasets));
    for (const auto& dataset : datasets) {
        StatusDataset one;
        one.ns = dataset.metadata.namespace_, one.name = dataset.metadata.name;
        one.phase = dataset.status.phase.text(), one.ready = dataset.status.ready, one.size = dataset.status.size,
        one.snapshot = dataset.status.snapshot;
        one.bytes = dataset.status.bytes.value_or(0), one.origin_bytes = dataset.status.origin_bytes,
        one.peer_bytes = dataset.status.peer_bytes, one.reused_bytes = dataset.status.reused_bytes;
        if (const auto* ready = api::find_condition(dataset.status.conditions, "Ready");
            ready && ready->status != api::ConditionStatus::yes)
            one.reason = ready->reason.text(), one.message = ready->message;
        for (const auto& node : held) {
            if (node.spec.dataset.uid != dataset.metadata.uid) continue;
            StatusNode place{node.spec.node,
                             (node.status.phase.empty() ? api::Word(api::Phase::pending) : node.status.phase).str(),
                             node.status.progress,
                             "",
                             "",
                             node.status.bytes_done,
                             node.status.bytes_total,
                             node.status.bytes_per_second,
                             node.status.eta_seconds,
                             node.status.origin_bytes,
                             node.status.peer_bytes,
                             node.status.reused_bytes,
                             node.status.pods.size(),
                             node.status.peers.neighbours,
                             node.status.peers.troubled.size()};
            if (node.status.last_error)
                place.reason = node.status.last_error->reason.text(), place.message = node.status.last_error->message;
            one.nodes.push_back(std::move(place));
        }
        std::sort(one.nodes.begin(), one.nodes.end(), [](const auto& a, const auto& b) { return a.node < b.node; });
        out.datasets.push_back(std::move(one));
    }
    ZCDP_TRY(const auto nodes, read_all<api::Node>(api, kube::resources::nodes));
    out.nodes = nodes.size();
    std::set<std::string> names;
    for (const auto& node : nodes) names.insert(node.metadata.name);
    ZCDP_TRY(const auto pods, read_all<api::Pod>(api, kube::resources::pods, api::kSystemNamespace));
    for (const auto& pod : pods) {
        const auto* ready = api::find_condition(pod.status.conditions, "Ready");
        const auto app = pod.metadata.labels.find("app");
        if (!ready || ready->status != api::ConditionStatus::yes || app == pod.metadata.labels.end()) continue;
        // Pods of a node that is gone stay listed, and Ready, until they are collected.
        out.agents_ready += app->second == "zcdp-agent" && names.contains(pod.spec.node_name);
        out.controllers_ready += app->second == "zcdp-controller";
    }
    return out;
}

}  // namespace zcdp::services
