// What every Kubernetes object has: metadata, conditions (metav1), label selectors. Only the fields that zcdp uses.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "zcdp/api/codec.hpp"
#include "zcdp/api/states.hpp"

namespace zcdp::api {

using StringMap = std::map<std::string, std::string>;

struct OwnerReference {
    std::string api_version, kind, name, uid;
    bool controller = false, block_owner_deletion = false;
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("apiVersion", self.api_version), field("kind", self.kind), field("name", self.name),
            field("uid", self.uid);
        field("controller", self.controller), field("blockOwnerDeletion", self.block_owner_deletion);
    }
    bool operator==(const OwnerReference&) const = default;
};

struct ObjectMeta {
    std::string name, generate_name, namespace_, uid, resource_version;
    int64_t generation = 0;
    std::string creation_timestamp, deletion_timestamp;
    StringMap labels, annotations;
    std::vector<std::string> finalizers;
    std::vector<OwnerReference> owner_references;
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("name", self.name), field("generateName", self.generate_name), field("namespace", self.namespace_);
        field("uid", self.uid), field("resourceVersion", self.resource_version), field("generation", self.generation);
        field("creationTimestamp", self.creation_timestamp), field("deletionTimestamp", self.deletion_timestamp);
        field("labels", self.labels), field("annotations", self.annotations), field("finalizers", self.finalizers);
        field("ownerReferences", self.owner_references);
    }
    bool operator==(const ObjectMeta&) const = default;

    bool deleting() const { return !deletion_timestamp.empty(); }
    bool has_finalizer(std::string_view finalizer) const;
    /// "NAMESPACE/NAME", or "NAME" without a namespace: the key of caches and queues.
    std::string key() const;
};

/// metav1.Condition.
struct Condition {
    std::string type;
    Word<ConditionStatus> status;
    int64_t observed_generation = 0;
    std::string last_transition_time;
    Word<Reason> reason;
    std::string message;
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("type", self.type), field("status", self.status), field("observedGeneration", self.observed_generation);
        field("lastTransitionTime", self.last_transition_time), field("reason", self.reason),
            field("message", self.message);
    }
    bool operator==(const Condition&) const = default;
};

const Condition* find_condition(const std::vector<Condition>& conditions, std::string_view type);  ///< or null
/// Sets a condition; the transition time only changes with the status. True when anything changed.
bool set_condition(std::vector<Condition>& conditions, Condition wanted, const std::string& now);

struct SelectorExpression {
    std::string key, op;
    std::vector<std::string> values;
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("key", self.key), field("operator", self.op), field("values", self.values);
    }
    bool operator==(const SelectorExpression&) const = default;
    /// In, NotIn, Exists, DoesNotExist, and for node affinity Gt and Lt; an unknown operator matches nothing.
    bool matches(const StringMap& labels) const;
};

struct LabelSelector {
    StringMap match_labels;
    std::vector<SelectorExpression> match_expressions;
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("matchLabels", self.match_labels), field("matchExpressions", self.match_expressions);
    }
    bool operator==(const LabelSelector&) const = default;
    /// The empty selector matches everything, as in Kubernetes.
    bool matches(const StringMap& labels) const;
};

/// "a=b,c=d" as labels; a part without '=' stands for an empty value.
StringMap parse_labels(std::string_view text);

/// RFC 3339 text in Unix seconds; 0 for what is no time.
int64_t parse_time(const std::string& text);

/// Whether `labels` has every pair of `wanted` (a nodeSelector).
bool has_labels(const StringMap& labels, const StringMap& wanted);

}  // namespace zcdp::api
