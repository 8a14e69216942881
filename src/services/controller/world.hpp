// Everything the controller knows: one cache a kind, with the indexes that decisions look through.
#pragma once

#include "zcdp/api/core.hpp"
#include "zcdp/api/dataset_key.hpp"
#include "zcdp/api/names.hpp"
#include "zcdp/api/types.hpp"
#include "zcdp/kube/cache.hpp"
#include "zcdp/kube/unreadable.hpp"

namespace zcdp::services::controller {

template <class T>
using Objects = std::vector<std::shared_ptr<const T>>;

/// Which drivers kubelet knows on a node.
struct CsiNodeObject {
    struct Driver {
        std::string name;
        template <class Self, class F>
        static void fields(Self& self, F&& field) {
            field("name", self.name);
        }
        bool operator==(const Driver&) const = default;
    };
    struct Spec {
        std::vector<Driver> drivers;
        template <class Self, class F>
        static void fields(Self& self, F&& field) {
            field("drivers", self.drivers);
        }
    };
    api::ObjectMeta metadata;
    Spec spec;
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("metadata", self.metadata), field("spec", self.spec);
    }
    bool has(std::string_view driver) const {
        for (const Driver& d : spec.drivers)
            if (d.name == driver) return true;
        return false;
    }
};

/// A cluster has many pods, and most of what is written on them is nobody's business here.
inline void trim_pod(api::Pod& pod) {
    std::erase_if(pod.metadata.annotations, [](const auto& entry) {
        return entry.first != api::kClaimsAnnotation && entry.first != api::kPassedOverAnnotation;
    });
    std::erase_if(pod.spec.volumes,
                  [](const api::Volume& volume) { return !volume.csi || volume.csi->driver != api::kDriver; });
    std::erase_if(pod.status.conditions, [](const api::Condition& condition) {
        return condition.type != "PodScheduled" && condition.type != api::kDataReadyCondition;
    });
    pod.metadata.owner_references.clear();
    pod.metadata.finalizers.clear();
    pod.requests = api::pod_requests(pod);
    pod.spec.containers.clear(), pod.spec.init_containers.clear(), pod.spec.overhead.clear(),
        pod.spec.resources.requests.clear();
    pod.status.message.clear();
    if (!pod.spec.node_name.empty())
        pod.spec.tolerations.clear(), pod.spec.affinity.reset(), pod.spec.node_selector.clear();  // placed already
}

/// Under which pods of a node, and those with our gate, are found in World::pods. No namespace has a slash.
inline std::string on_node_index(const std::string& node) { return "/node/" + node; }
inline constexpr const char* kGatedIndex = "/gated";
/// Pods that use a claim, and have neither a gate nor a node.
inline constexpr const char* kUnplacedIndex = "/unplaced";
/// And those that a claim selects, but that have none of its containers.
inline std::string passed_over_index(const std::string& claim_key) { return claim_key + "/passed-over"; }

struct World {
    kube::Cache<api::StorageBackend> backends;
    kube::Cache<api::Dataset> datasets{
        [](const api::Dataset& d) { return std::vector<std::string>{d.spec.source.backend}; }};
    /// By the Dataset's key and by "NAMESPACE".
    kube::Cache<api::DatasetClaim> claims{[](const api::DatasetClaim& c) {
        return std::vector<std::string>{api::dataset_key(c).text(), c.metadata.namespace_};
    }};
    /// By the dataset's uid and by "node/NODE".
    kube::Cache<api::NodeDataset> node_datasets{
        [](const api::NodeDataset& n) { return std::vector<std::string>{n.spec.dataset.uid, "node/" + n.spec.node}; }};
    /// By "NAMESPACE/CLAIM" for each claim they use, and by "NAMESPACE"; by their node while they run, and by our gate.
    kube::Cache<api::Pod> pods{
        [](const api::Pod& p) {
            std::vector<std::string> out;
            for (const std::string& claim : p.claims()) out.push_back(p.metadata.namespace_ + "/" + claim);
            if (!out.empty() && p.spec.node_name.empty() && p.spec.scheduling_gates.empty() && !p.ended())
                out.push_back(kUnplacedIndex);
            out.push_back(p.metadata.namespace_);
            for (const std::string& claim : p.passed_over())
                out.push_back(passed_over_index(p.metadata.namespace_ + "/" + claim));
            if (!p.spec.node_name.empty() && !p.ended()) out.push_back(on_node_index(p.spec.node_name));
            if (p.has_gate(api::kGate)) out.push_back(kGatedIndex);
            return out;
        },
        trim_pod};
    kube::Cache<api::Node> nodes;
    kube::Cache<CsiNodeObject> csi_nodes;

    std::shared_ptr<const api::Dataset> dataset(const api::DatasetKey& key) const { return datasets.get(key.text()); }
    Objects<api::DatasetClaim> claims_of(const api::DatasetKey& key) const { return claims.by_index(key.text()); }
    /// Whether kubelet of this node knows our driver.
    bool has_agent(const std::string& node) const {
        const auto csi = csi_nodes.get(node);
        return csi && csi->has(api::kDriver);
    }
    /// Before anything feeds the caches: what is said of objects that they cannot read.
    void report_unreadable(Logger& log, Metrics& metrics) {
        backends.on_unreadable(kube::tell_unreadable("storagebackends", log, metrics));
        datasets.on_unreadable(kube::tell_unreadable("datasets", log, metrics));
        claims.on_unreadable(kube::tell_unreadable("datasetclaims", log, metrics));
        node_datasets.on_unreadable(kube::tell_unreadable("nodedatasets", log, metrics));
        pods.on_unreadable(kube::tell_unreadable("pods", log, metrics));
        nodes.on_unreadable(kube::tell_unreadable("nodes", log, metrics));
        csi_nodes.on_unreadable(kube::tell_unreadable("csinodes", log, metrics));
    }
    bool synced() const {
        return backends.synced() && datasets.synced() && claims.synced() && node_datasets.synced() && pods.synced() &&
               nodes.synced() && csi_nodes.synced();
    }
};

}  // namespace zcdp::services::controller
