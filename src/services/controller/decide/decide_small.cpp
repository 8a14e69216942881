#include "src/services/controller/decide/decide_small.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace zcdp::services::controller {
namespace {

namespace json = boost::json;

constexpr size_t kNamesMost = 5, kNodesMost = 100;

std::string names_of(const Objects<api::Pod>& pods) {
    std::string out;
    for (size_t i = 0; i < pods.size() && i < kNamesMost; ++i) out += (i > 0 ? ", " : "") + pods[i]->metadata.name;
    if (pods.size() > kNamesMost) out += fmt::format(" and {} more", pods.size() - kNamesMost);
    return out;
}

json::object& object_in(json::object& parent, const char* name) {
    json::value& value = parent[name];
    if (!value.is_object()) value = json::object();
    return value.get_object();
}

json::array& array_in(json::object& parent, const char* name) {
    json::value& value = parent[name];
    if (!value.is_array()) value = json::array();
    return value.get_array();
}

}  // namespace

bool is_missed(const api::Pod& pod, const api::DatasetClaim& claim) {
    if (!claim.spec.pod_selector || pod.ended() || pod.metadata.deleting() ||
        !claim.spec.pod_selector->matches(pod.metadata.labels))
        return false;
    if (api::parse_time(pod.metadata.creation_timestamp) < api::parse_time(claim.metadata.creation_timestamp))
        return false;
    const std::vector<std::string> uses = pod.claims();
    return std::find(uses.begin(), uses.end(), claim.metadata.name) == uses.end();
}

ClaimDecision decide_claim(const ClaimView& view) {
    ClaimDecision out;
    out.status = view.claim.status;
    api::DatasetClaimStatus& status = out.status;
    const int64_t generation = view.claim.metadata.generation;
    const auto condition = [&](const char* type, api::Word<api::ConditionStatus> value, api::Word<api::Reason> reason,
                               std::string message) {
        api::set_condition(status.conditions,
                           {type, std::move(value), generation, "", std::move(reason), std::move(message)},
                           iso8601(view.now_unix_s));
    };
    status.observed_generation = generation;
    status.pods = static_cast<uint32_t>(view.pods.size());
    std::set<std::string> nodes;
    for (const auto& pod : view.pods)
        if (!pod->spec.node_name.empty()) nodes.insert(pod->spec.node_name);
    status.nodes.assign(nodes.begin(), nodes.end());
    if (status.nodes.size() > kNodesMost) status.nodes.resize(kNodesMost);

    if (!view.dataset)
        condition("Bound", api::ConditionStatus::no, api::Reason::dataset_not_found,
                  fmt::format("there is no Dataset {} in this namespace", view.claim.spec.dataset));
    else if (!view.missed.empty())
        condition("Bound", api::ConditionStatus::no, api::Reason::pods_missed,
                  fmt::format("made while the webhook was away, and without the data: {}. Recreate them",
                              names_of(view.missed)));
    else if (!view.passed_over.empty())
        condition("Bound", api::ConditionStatus::yes, api::Reason::pods_passed_over,
                  fmt::format("made without the data, for they have none of the containers in spec.containers: {}",
                              names_of(view.passed_over)));
    else condition("Bound", api::ConditionStatus::yes, api::Reason::bound, "");

    const api::Condition* ready =
        view.dataset ? api::find_condition(view.dataset->status.conditions, "Ready") : nullptr;
    if (!view.dataset) condition("Ready", api::ConditionStatus::no, api::Reason::dataset_not_found, "");
    else if (ready) condition("Ready", ready->status, ready->reason, ready->message);
    else condition("Ready", api::ConditionStatus::unknown, api::Reason::listing, "");
    const bool said = view.dataset && !view.dataset->status.phase.empty();
    status.phase = said ? view.dataset->status.phase : api::Phase::pending;

    const bool used = !view.pods.empty();
    const bool has = view.claim.metadata.has_finalizer(api::kInUseFinalizer);
    if (view.claim.metadata.deleting()) {
        status.phase = api::Phase::evicting;
        out.remove_finalizer = has && !used;
        if (used)
            condition("Ready", api::ConditionStatus::no, api::Reason::deleting,
                      fmt::format("still used by {}", names_of(view.pods)));
    } else {
        out.add_finalizer = !has;
    }
    return out;
}

std::map<std::string, std::string> data_labels(const Objects<api::NodeDataset>& held,
                                               const kube::Cache<api::Dataset>& datasets) {
    std::map<std::string, std::string> out;
    for (const auto& one : held) {
        if (one->status.phase != api::Phase::ready || one->spec.wanted != api::Wanted::ensure ||
            one->metadata.deleting())
            continue;
        const auto dataset = datasets.get(api::dataset_key(one->spec.dataset).text());
        if (dataset && dataset->metadata.uid == one->spec.dataset.uid && dataset->status.revision == one->spec.revision)
            out[api::data_label(one->spec.dataset.uid)] = "ready";
    }
    return out;
}

std::optional<json::object> node_patch(const api::Node& node, const std::map<std::string, std::string>& wanted,
                                       bool driver_registered) {
    json::object labels;
    for (const auto& [label, value] : wanted) {
        const auto at = node.metadata.labels.find(label);
        if (at == node.metadata.labels.end() || at->second != value) labels[label] = value;
    }
    for (const auto& [label, value] : node.metadata.labels)
        if (label.starts_with(api::kDataLabelPrefix) && !wanted.contains(label)) labels[label] = nullptr;
    json::object patch;
    if (!labels.empty()) patch["metadata"] = json::object{{"labels", std::move(labels)}};
    const auto ours = [](const api::Taint& taint) { return taint.key == api::kNotReadyTaint; };
    if (driver_registered && std::any_of(node.spec.taints.begin(), node.spec.taints.end(), ours)) {
        json::array taints;
        for (const api::Taint& taint : node.spec.taints)
            if (!ours(taint)) taints.push_back(api::to_json(taint));
        patch["spec"] = json::object{{"taints", std::move(taints)}};
        object_in(patch, "metadata")["resourceVersion"] =
            node.metadata.resource_version;  // taints are a list: no lost update
    }
    if (patch.empty()) return std::nullopt;
    return patch;
}

void require_label(json::object& affinity, const std::string& label, const std::string& value) {
    json::object& required =
        object_in(object_in(affinity, "nodeAffinity"), "requiredDuringSchedulingIgnoredDuringExecution");
    json::array& terms = array_in(required, "nodeSelectorTerms");
    if (terms.empty()) terms.push_back(json::object());
    const json::object wanted{{"key", label}, {"operator", "In"}, {"values", json::array{value}}};
    for (json::value& term : terms) {
        if (!term.is_object()) continue;
        json::array& expressions = array_in(term.get_object(), "matchExpressions");
        if (std::find(expressions.begin(), expressions.end(), json::value(wanted)) == expressions.end())
            expressions.push_back(wanted);
    }
}

void prefer_label(json::object& affinity, const std::string& label, int64_t weight) {
    json::array& terms =
        array_in(object_in(affinity, "nodeAffinity"), "preferredDuringSchedulingIgnoredDuringExecution");
    const json::object expression{{"key", label}, {"operator", "In"}, {"values", json::array{"ready"}}};
    const json::object preference{{"matchExpressions", json::array{expression}}};
    for (json::value& value : terms)
        if (json::object* term = value.if_object();
            term && term->contains("preference") && term->at("preference") == json::value(preference)) {
            (*term)["weight"] = weight;
            return;
        }
    terms.push_back(json::object{{"weight", weight}, {"preference", preference}});
}

json::array open_gate_patch(const json::object& pod, const std::vector<std::string>& required_labels,
                            const std::vector<std::string>& preferred_labels) {
    json::array patch;
    const json::object& metadata = pod.at("metadata").as_object();
    patch.push_back(
        json::object{{"op", "test"}, {"path", "/metadata/resourceVersion"}, {"value", metadata.at("resourceVersion")}});
    const json::object& spec = pod.at("spec").as_object();
    const json::value* gates = spec.if_contains("schedulingGates");
    if (!gates || !gates->is_array()) return {};
    for (size_t i = 0; i < gates->get_array().size(); ++i) {
        const json::object* gate = gates->get_array()[i].if_object();
        const json::value* name = gate ? gate->if_contains("name") : nullptr;
        if (!name || *name != json::value(api::kGate)) continue;
        patch.push_back(json::object{
            {"op", "test"}, {"path", fmt::format("/spec/schedulingGates/{}/name", i)}, {"value", api::kGate}});
        patch.push_back(json::object{{"op", "remove"}, {"path", fmt::format("/spec/schedulingGates/{}", i)}});
        if (required_labels.empty() && preferred_labels.empty()) return patch;
        const json::value* old = spec.if_contains("affinity");
        json::object affinity = old && old->is_object() ? old->get_object() : json::object();
        for (const std::string& label : required_labels) require_label(affinity, label);
        for (const std::string& label : preferred_labels) prefer_label(affinity, label, 100);
        patch.push_back(json::object{{"op", "add"}, {"path", "/spec/affinity"}, {"value", std::move(affinity)}});
        return patch;
    }
    return {};
}

}  // namespace zcdp::services::controller
