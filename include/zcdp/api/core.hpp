// The Kubernetes kinds that zcdp reads, cut down to the fields in use: caches of 20,000 pods stay small.
#pragma once

#include <string>
#include <vector>

#include "zcdp/api/meta.hpp"
#include "zcdp/api/resources.hpp"

namespace zcdp::api {

struct CsiSource {
    std::string driver;
    std::optional<bool> read_only;
    StringMap volume_attributes;
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("driver", self.driver), field("readOnly", self.read_only),
            field("volumeAttributes", self.volume_attributes);
    }
    bool operator==(const CsiSource&) const = default;
};

struct Volume {
    std::string name;
    std::optional<CsiSource> csi;
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("name", self.name), field("csi", self.csi);
    }
    bool operator==(const Volume&) const = default;
};

struct Toleration {
    std::string key, op, value, effect;
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("key", self.key), field("operator", self.op), field("value", self.value), field("effect", self.effect);
    }
    bool operator==(const Toleration&) const = default;
};

struct NodeSelectorTerm {
    std::vector<SelectorExpression> match_expressions, match_fields;
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("matchExpressions", self.match_expressions), field("matchFields", self.match_fields);
    }
    bool operator==(const NodeSelectorTerm&) const = default;
};
struct NodeSelector {
    std::vector<NodeSelectorTerm> terms;
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("nodeSelectorTerms", self.terms);
    }
    bool operator==(const NodeSelector&) const = default;
};
struct NodeAffinity {
    std::optional<NodeSelector> required;
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("requiredDuringSchedulingIgnoredDuringExecution", self.required);
    }
    bool operator==(const NodeAffinity&) const = default;
};
struct Affinity {
    std::optional<NodeAffinity> node_affinity;
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("nodeAffinity", self.node_affinity);
    }
    bool operator==(const Affinity&) const = default;
};

struct SchedulingGate {
    std::string name;
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("name", self.name);
    }
    bool operator==(const SchedulingGate&) const = default;
};

struct ResourceRequests {
    Quantities requests;
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("requests", self.requests);
    }
    bool operator==(const ResourceRequests&) const = default;
};
struct Container {
    std::string restart_policy;  ///< "Always" of an init container: it runs beside the others
    ResourceRequests resources;
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("restartPolicy", self.restart_policy), field("resources", self.resources);
    }
    bool operator==(const Container&) const = default;
};

struct PodSpec {
    std::string node_name;
    std::vector<SchedulingGate> scheduling_gates;
    std::vector<Volume> volumes;
    StringMap node_selector;
    std::vector<Toleration> tolerations;
    std::optional<Affinity> affinity;
    std::vector<Container> init_containers, containers;
    ResourceRequests resources;  ///< of the pod as a whole, where it says so
    Quantities overhead;
    int32_t priority = 0;
    std::string preemption_policy;
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("nodeName", self.node_name), field("schedulingGates", self.scheduling_gates),
            field("volumes", self.volumes);
        field("nodeSelector", self.node_selector), field("tolerations", self.tolerations),
            field("affinity", self.affinity);
        field("initContainers", self.init_containers), field("containers", self.containers),
            field("resources", self.resources);
        field("overhead", self.overhead), field("priority", self.priority),
            field("preemptionPolicy", self.preemption_policy);
    }
    bool operator==(const PodSpec&) const = default;
};

struct PodStatus {
    Word<PodPhase> phase;
    std::string reason, message, start_time;  ///< start_time: when its kubelet took it
    std::vector<Condition> conditions;
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("phase", self.phase), field("reason", self.reason), field("message", self.message),
            field("startTime", self.start_time);
        field("conditions", self.conditions);
    }
    bool operator==(const PodStatus&) const = default;
};

struct Pod {
    ObjectMeta metadata;
    PodSpec spec;
    PodStatus status;
    Amounts requests;  ///< filled by whoever needs them (pod_requests), so that a cache need not keep the containers
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("metadata", self.metadata), field("spec", self.spec), field("status", self.status);
    }
    bool operator==(const Pod&) const = default;

    bool ended() const { return status.phase == PodPhase::succeeded || status.phase == PodPhase::failed; }
    bool has_gate(std::string_view gate) const;
    /// The scheduler found no node for it.
    bool unschedulable() const;
    /// The claims of its own namespace that it uses: of its annotation and of its csi volumes, sorted, each once.
    std::vector<std::string> claims() const;
    /// The claims that select it and have nothing to do with it, for it has none of their containers: the webhook's
    /// annotation.
    std::vector<std::string> passed_over() const;
};

struct Taint {
    std::string key, value, effect;
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("key", self.key), field("value", self.value), field("effect", self.effect);
    }
    bool operator==(const Taint&) const = default;
};
struct NodeSpec {
    bool unschedulable = false;
    std::vector<Taint> taints;
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("unschedulable", self.unschedulable), field("taints", self.taints);
    }
    bool operator==(const NodeSpec&) const = default;
};
struct NodeStatus {
    std::vector<Condition> conditions;
    Quantities allocatable;
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("conditions", self.conditions), field("allocatable", self.allocatable);
    }
    bool operator==(const NodeStatus&) const = default;
};
struct Node {
    ObjectMeta metadata;
    NodeSpec spec;
    NodeStatus status;
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("metadata", self.metadata), field("spec", self.spec), field("status", self.status);
    }
    bool operator==(const Node&) const = default;
    bool ready() const;
    /// Its pods are to go elsewhere: it is cordoned (which a drain begins with), or being deleted.
    bool leaving() const;
};

/// Whether the pod's own constraints (nodeSelector, required node affinity, tolerations) let it run on the node. What
/// the scheduler also looks at (resources, other pods) is not looked at here. Expressions on labels that start with
/// `ignored_prefix` count as met: planning asks where the data could go, not where it is.
bool pod_fits(const Pod& pod, const Node& node, std::string_view ignored_prefix = {});

/// What the scheduler asks a node for: all containers together, or an init container that needs more, and the overhead;
/// one of "pods".
Amounts pod_requests(const Pod& pod);

// Instantiated once, in src/api/codec.cpp, and not in every file that reads or writes one.
extern template Result<Pod> from_json<Pod>(const json::value&);
extern template json::value to_json<Pod>(const Pod&);
extern template Result<Node> from_json<Node>(const json::value&);
extern template json::value to_json<Node>(const Node&);

}  // namespace zcdp::api
