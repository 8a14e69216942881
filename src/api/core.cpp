#include "zcdp/api/core.hpp"

#include <algorithm>

#include "zcdp/api/names.hpp"

namespace zcdp::api {
namespace {

bool tolerates(const Toleration& toleration, const Taint& taint) {
    if (!toleration.effect.empty() && toleration.effect != taint.effect) return false;
    if (!toleration.key.empty() && toleration.key != taint.key) return false;
    return toleration.op == "Exists" || (!toleration.key.empty() && toleration.value == taint.value);
}

bool term_matches(const NodeSelectorTerm& term, const Node& node, std::string_view ignored_prefix) {
    if (term.match_expressions.empty() && term.match_fields.empty()) return false;  // an empty term selects nothing
    const StringMap fields{{"metadata.name", node.metadata.name}};
    const auto fits = [&](const auto& expressions, const StringMap& labels) {
        return std::all_of(expressions.begin(), expressions.end(), [&](const auto& e) {
            return (!ignored_prefix.empty() && e.key.starts_with(ignored_prefix)) || e.matches(labels);
        });
    };
    return fits(term.match_expressions, node.metadata.labels) && fits(term.match_fields, fields);
}

/// "a,b" of an annotation, added to `out`.
void add_names(const StringMap& annotations, const char* annotation, std::vector<std::string>& out) {
    const auto list = annotations.find(annotation);
    if (list == annotations.end()) return;
    for (size_t begin = 0; begin < list->second.size();) {
        const size_t end = std::min(list->second.find(',', begin), list->second.size());
        if (end > begin) out.push_back(list->second.substr(begin, end - begin));
        begin = end + 1;
    }
}

}  // namespace

bool Pod::has_gate(std::string_view gate) const {
    return std::any_of(spec.scheduling_gates.begin(), spec.scheduling_gates.end(),
                       [&](const auto& g) { return g.name == gate; });
}

bool Pod::unschedulable() const {
    const Condition* scheduled = find_condition(status.conditions, "PodScheduled");
    return scheduled && scheduled->status == ConditionStatus::no && scheduled->reason == Reason::unschedulable;
}

std::vector<std::string> Pod::claims() const {
    std::vector<std::string> out;
    for (const Volume& volume : spec.volumes) {
        if (!volume.csi || volume.csi->driver != kDriver) continue;
        const auto claim = volume.csi->volume_attributes.find(kClaimAttribute);
        if (claim != volume.csi->volume_attributes.end()) out.push_back(claim->second);
    }
    add_names(metadata.annotations, kClaimsAnnotation, out);
    std::sort(out.begin(), out.end());
    out.erase(std::unique(out.begin(), out.end()), out.end());
    return out;
}

std::vector<std::string> Pod::passed_over() const {
    std::vector<std::string> out;
    add_names(metadata.annotations, kPassedOverAnnotation, out);
    return out;
}

bool Node::ready() const {
    const Condition* ready = find_condition(status.conditions, "Ready");
    return ready && ready->status == ConditionStatus::yes;
}

bool Node::leaving() const {
    return spec.unschedulable || metadata.deleting() ||
           std::any_of(spec.taints.begin(), spec.taints.end(),
                       [](const Taint& taint) { return taint.key == "node.kubernetes.io/unschedulable"; });
}

bool pod_fits(const Pod& pod, const Node& node, std::string_view ignored_prefix) {
    if (!has_labels(node.metadata.labels, pod.spec.node_selector)) return false;
    for (const Taint& taint : node.spec.taints) {
        if (taint.effect != "NoSchedule" && taint.effect != "NoExecute") continue;
        const auto& tolerations = pod.spec.tolerations;
        if (std::none_of(tolerations.begin(), tolerations.end(), [&](const auto& t) { return tolerates(t, taint); }))
            return false;
    }
    if (!pod.spec.affinity || !pod.spec.affinity->node_affinity || !pod.spec.affinity->node_affinity->required)
        return true;
    const auto& terms = pod.spec.affinity->node_affinity->required->terms;
    return std::any_of(terms.begin(), terms.end(),
                       [&](const auto& term) { return term_matches(term, node, ignored_prefix); });
}

}  // namespace zcdp::api
