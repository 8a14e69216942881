// From an object to the one step that blocks it. Each question looks at what comes first: a pod that has no claim
// cannot lack space.
#include <fmt/format.h>
#include <boost/json/serialize.hpp>

#include <algorithm>

#include "src/services/backend/nested_mounts.hpp"
#include "src/services/client/peers_text.hpp"
#include "src/services/client/read.hpp"
#include "src/services/controller/world.hpp"
#include "zcdp/services/cluster_view.hpp"

namespace zcdp::services {
namespace {

namespace res = kube::resources;

Explanation fine(std::string message) { return {true, "", std::move(message), ""}; }
Explanation blocked(std::string step, std::string message, std::string hint) {
    return {false, std::move(step), std::move(message), std::move(hint)};
}

/// What a reason of a condition asks a person to do (docs/operations.md has the same list).
std::string remedy(const api::Word<api::Reason>& reason, const api::Dataset& dataset) {
    const std::string backend =
        dataset.spec.source.backend.empty() ? "the StorageBackend" : "StorageBackend " + dataset.spec.source.backend;
    if (reason == api::Reason::access_denied)
        return "check the Secret that " + backend + " names, and what the bucket's policy lets its key do";
    if (reason == api::Reason::not_found)
        return "check the bucket of " + backend + " and the dataset's source.prefix and source.version";
    if (reason == api::Reason::origin_unreachable)
        return "check the endpoint of " + backend + " and the way to it from the nodes; it is tried again by itself";
    if (reason == api::Reason::namespace_not_allowed)
        return fmt::format("add {} to spec.allowedNamespaces of {}", dataset.metadata.namespace_, backend);
    if (reason == api::Reason::backend_not_found) return "create the StorageBackend, or correct source.backend";
    if (reason == api::Reason::key_refused)
        return "rename the object that is named, or leave it out with source.exclude";
    if (reason == api::Reason::no_space)
        return "make room on the node, choose others with placement.nodeSelector, or give the store a larger disk";
    if (reason == api::Reason::source_changed)
        return "write new versions to a new prefix; the next refresh takes what is there now";
    if (reason == api::Reason::snapshot_mismatch)
        return "the origin changes objects without changing their ETag: use versioned prefixes";
    return "kubectl describe dataset " + dataset.metadata.name + " -n " + dataset.metadata.namespace_;
}

/// Where the bytes of a dataset, or of one on a node, came from.
template <class Status>
std::string in_brackets(const Status& status) {
    const std::string text = sources_text(status.origin_bytes, status.peer_bytes, status.reused_bytes);
    return text.empty() ? "" : " (" + text + ")";
}

Explanation explain_dataset(const api::Dataset& dataset) {
    const auto& conditions = dataset.status.conditions;
    const auto* listed = api::find_condition(conditions, "Listed");
    const auto* ready = api::find_condition(conditions, "Ready");
    if (!listed)
        return blocked("controller", "the controller has not looked at it yet",
                       "kubectl -n zcdp-system get pods -l app=zcdp-controller");
    if (dataset.metadata.deleting())
        return blocked("deletion", ready ? ready->message : "it is being deleted", "delete the pods that use it");
    if (dataset.status.revision.empty() && listed->status == api::ConditionStatus::no)
        return blocked("listing", listed->reason.str() + ": " + listed->message, remedy(listed->reason, dataset));
    if (dataset.status.revision.empty()) return blocked("listing", "the origin is being listed", "wait");
    if (ready && ready->status == api::ConditionStatus::yes) {
        const auto* degraded = api::find_condition(conditions, "Degraded");
        if (degraded && degraded->status == api::ConditionStatus::yes)
            return blocked("degraded", degraded->reason.str() + ": " + degraded->message,
                           remedy(degraded->reason, dataset));
        return fine(fmt::format("dataset {} is ready {}, {}{}", dataset.metadata.name, ready->message,
                                dataset.status.size, in_brackets(dataset.status)));
    }
    if (ready && ready->reason == api::Reason::no_demand)
        return fine(
            fmt::format("dataset {} is listed ({}); {}", dataset.metadata.name, dataset.status.size, ready->message));
    if (ready && ready->reason == api::Reason::syncing)
        return blocked("transfer",
                       fmt::format("{}, {} done", ready->message,
                                   dataset.status.progress.empty() ? "nothing" : dataset.status.progress),
                       "wait; zcdp status shows the rate");
    return blocked("transfer", ready ? ready->reason.str() + ": " + ready->message : "nothing is known yet",
                   ready ? remedy(ready->reason, dataset) : "wait");
}

Result<Explanation> explain_claim(kube::Api& api, const api::DatasetClaim& claim) {
    auto dataset = read_one<api::Dataset>(api, res::datasets, claim.metadata.namespace_, claim.spec.dataset);
    if (!dataset && dataset.error().kind() == ErrorKind::not_found)
        return blocked("dataset",
                       fmt::format("claim {} names Dataset {}, which is not in namespace {}", claim.metadata.name,
                                   claim.spec.dataset, claim.metadata.namespace_),
                       "create it, or make a claim for another one");
    if (!dataset) return std::move(dataset).error();
    const auto* bound = api::find_condition(claim.status.conditions, "Bound");
    if (bound && bound->reason == api::Reason::pods_missed)
        return blocked("webhook", bound->message, "delete these pods, so that they are made again");
    return explain_dataset(*dataset);
}

/// Whether a container's runtime said that it could not make the place of a mount. It says so with errno's words and
/// nothing else: the one reason on the way that has no field of its own.
bool could_not_mount(const kube::json::object& pod) {
    const kube::json::value* status = pod.if_contains("status");
    if (!status || !status->is_object()) return false;
    for (const char* list : {"containerStatuses", "initContainerStatuses"})
        if (const kube::json::value* containers = status->get_object().if_contains(list))
            if (boost::json::serialize(*containers).find("read-only file system") != std::string::npos) return true;
    return false;
}

Explanation explain_nested(const backend::NestedMount& mount) {
    return blocked(
        "mount",
        fmt::format("{}: the container starts only if the dataset has the folder {}", mount.line(), mount.folder),
        mount.remedy());
}

/// A pod that the kubelet of its node would not have.
std::optional<Explanation> explain_refusal(const api::Pod& pod) {
    if (pod.status.phase != api::PodPhase::failed || pod.status.reason.empty()) return std::nullopt;
    return blocked("kubelet",
                   fmt::format("the kubelet of node {} ended it: {}: {}", pod.spec.node_name, pod.status.reason,
                               pod.status.message),
                   "a Job or ReplicaSet makes another pod; one without an owner must be made again");
}

/// What is said of a pod that has claims and does not run.
Result<Explanation> explain_waiting_pod(kube::Api& api, const api::Pod& pod, const std::vector<std::string>& claims,
                                        const std::vector<backend::NestedMount>& nested) {
    for (const std::string& name : claims) {
        auto claim = read_one<api::DatasetClaim>(api, res::claims, pod.metadata.namespace_, name);
        if (!claim && claim.error().kind() == ErrorKind::not_found)
            return blocked("claim",
                           fmt::format("there is no DatasetClaim {} in namespace {}", name, pod.metadata.namespace_),
                           "create it; a volume names a claim of its own namespace");
        if (!claim) return std::move(claim).error();
        ZCDP_TRY(auto why, explain_claim(api, *claim));
        if (!why.fine) return why;
    }
    if (pod.has_gate(api::kGate))
        return blocked("gate", "the pod waits until its data is on a node that it may run on",
                       "check its nodeSelector, affinity and tolerations against `zcdp status`");
    if (pod.spec.node_name.empty()) {
        const auto* scheduled = api::find_condition(pod.status.conditions, "PodScheduled");
        return blocked("scheduling", scheduled ? scheduled->message : "the scheduler has not looked at it yet",
                       "the data is there: see why no node takes the pod");
    }
    auto csi_node = read_one<controller::CsiNodeObject>(api, res::csi_nodes, "", pod.spec.node_name);
    if (csi_node && !csi_node->has(api::kDriver))
        return blocked(
            "agent", fmt::format("kubelet of node {} does not know the driver zcdp.io", pod.spec.node_name),
            fmt::format("kubectl -n zcdp-system get pods -l app=zcdp-agent --field-selector spec.nodeName={}",
                        pod.spec.node_name));
    if (!nested.empty()) return explain_nested(nested.front());
    return blocked("mount", fmt::format("its data is ready and node {} has not started it yet", pod.spec.node_name),
                   fmt::format("kubectl -n {} describe pod {}", pod.metadata.namespace_, pod.metadata.name));
}

Result<Explanation> explain_pod(kube::Api& api, const kube::json::object& raw) {
    ZCDP_TRY(const auto pod, api::from_json<api::Pod>(kube::json::value(raw)));
    const auto claims = pod.claims();
    if (claims.empty()) {
        const auto passed_over = pod.passed_over();
        if (!passed_over.empty())
            return blocked("claim",
                           fmt::format("claim {} selects it, and it has none of the containers that the claim names",
                                       passed_over.front()),
                           "correct spec.containers of the claim, or its podSelector");
        ZCDP_TRY(const auto all, read_all<api::DatasetClaim>(api, res::claims, pod.metadata.namespace_));
        for (const auto& claim : all)
            if (claim.spec.pod_selector && claim.spec.pod_selector->matches(pod.metadata.labels))
                return blocked(
                    "webhook",
                    fmt::format("claim {} selects it, but it was made while the webhook was away or before the claim",
                                claim.metadata.name),
                    "delete the pod, so that it is made again");
        return blocked("claim", "it uses no claim, and none selects its labels",
                       "check the claim's podSelector against the pod's labels");
    }
    const auto nested = backend::nested_mounts(raw);
    if (!nested.empty() && could_not_mount(raw)) return explain_nested(nested.front());
    if (auto refused = explain_refusal(pod)) return std::move(*refused);
    if (pod.status.phase == api::PodPhase::running || pod.ended())
        return fine(fmt::format("pod {} is {}", pod.metadata.name, pod.status.phase.text()));
    return explain_waiting_pod(api, pod, claims, nested);
}

Result<Explanation> explain_node(kube::Api& api, const api::Node& node) {
    const std::string& name = node.metadata.name;
    if (!node.ready())
        return blocked("node", fmt::format("node {} is not Ready", name), "kubectl describe node " + name);
    auto csi_node = read_one<controller::CsiNodeObject>(api, res::csi_nodes, "", name);
    if (!csi_node || !csi_node->has(api::kDriver))
        return blocked(
            "agent", "kubelet does not know the driver zcdp.io",
            fmt::format("kubectl -n zcdp-system get pods -l app=zcdp-agent --field-selector spec.nodeName={}", name));
    ZCDP_TRY(const auto all, read_all<api::NodeDataset>(api, res::node_datasets));
    size_t ready = 0, wanted = 0;
    api::NodeDatasetStatus all_of_it;
    for (const auto& held : all) {
        if (held.spec.node != name) continue;
        ++wanted;
        ready += held.status.phase == api::Phase::ready;
        all_of_it.origin_bytes += held.status.origin_bytes, all_of_it.peer_bytes += held.status.peer_bytes;
        all_of_it.reused_bytes += held.status.reused_bytes;
        if (held.status.last_error)
            return blocked(
                "transfer",
                fmt::format("dataset {}/{}: {}: {}", held.spec.dataset.namespace_, held.spec.dataset.name,
                            held.status.last_error->reason.text(), held.status.last_error->message),
                fmt::format("zcdp explain dataset {} -n {}", held.spec.dataset.name, held.spec.dataset.namespace_));
    }
    return fine(fmt::format("node {} has {} of {} datasets ready{}", name, ready, wanted, in_brackets(all_of_it)));
}

/// Of a dataset on all nodes, or of all datasets on one.
Result<std::vector<std::string>> peers_lines(kube::Api& api, const std::string& dataset_uid, const std::string& node) {
    ZCDP_TRY(const auto all, read_all<api::NodeDataset>(api, res::node_datasets));
    std::vector<std::string> lines;
    for (const auto& held : all) {
        if (dataset_uid.empty() ? held.spec.node != node : held.spec.dataset.uid != dataset_uid) continue;
        const std::string who = dataset_uid.empty() ? held.spec.dataset.namespace_ + "/" + held.spec.dataset.name
                                                    : "node " + held.spec.node;
        if (std::string line = peers_text(who, held.status.peers); !line.empty()) lines.push_back(std::move(line));
    }
    std::sort(lines.begin(), lines.end());
    return lines;
}

}  // namespace

Result<Explanation> explain(kube::Api& api, const std::string& kind, const std::string& ns, const std::string& name) {
    if (kind == "pod") {
        auto pod = api.get(res::pods, ns, name);
        if (!pod) return read_error(pod.error(), res::pods, ns + "/" + name);
        return explain_pod(api, *pod);
    }
    if (kind == "dataset") {
        ZCDP_TRY(const auto dataset, read_one<api::Dataset>(api, res::datasets, ns, name));
        Explanation out = explain_dataset(dataset);
        ZCDP_TRY(out.peers, peers_lines(api, dataset.metadata.uid, ""));
        return out;
    }
    if (kind == "claim") {
        ZCDP_TRY(const auto claim, read_one<api::DatasetClaim>(api, res::claims, ns, name));
        return explain_claim(api, claim);
    }
    if (kind == "node") {
        ZCDP_TRY(const auto node, read_one<api::Node>(api, res::nodes, "", name));
        ZCDP_TRY(Explanation out, explain_node(api, node));
        ZCDP_TRY(out.peers, peers_lines(api, "", name));
        return out;
    }
    return Error(ErrorKind::usage, "cannot be explained", kind, "pod, dataset, claim or node");
}

}  // namespace zcdp::services
