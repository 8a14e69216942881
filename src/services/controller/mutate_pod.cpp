#include "src/services/controller/mutate_pod.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "src/services/controller/decide_small.hpp"

namespace zcdp::services {
namespace {

namespace json = boost::json;

constexpr const char* kContainerLists[] = {"initContainers", "containers"};

std::string text(const json::object& object, std::string_view name) {
    const json::value* value = object.if_contains(name);
    return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

json::object* object_at(json::object& parent, std::string_view name) {
    json::value* value = parent.if_contains(name);
    return value ? value->if_object() : nullptr;
}

json::object& make_object(json::object& parent, std::string_view name) {
    json::value& value = parent[name];
    if (!value.is_object()) value = json::object();
    return value.get_object();
}

json::array& make_array(json::object& parent, std::string_view name) {
    json::value& value = parent[name];
    if (!value.is_array()) value = json::array();
    return value.get_array();
}

/// "/data/" and "/data" are one place.
std::string plain_path(std::string path) {
    while (path.size() > 1 && path.back() == '/') path.pop_back();
    return path;
}

/// The claim that a volume names, or "".
std::string claim_of(json::object& volume) {
    json::object* csi = object_at(volume, "csi");
    if (!csi || text(*csi, "driver") != api::kDriver) return "";
    json::object* attributes = object_at(*csi, "volumeAttributes");
    return attributes ? text(*attributes, api::kClaimAttribute) : "";
}

/// The user's own volume for this claim: it gets readOnly if it says nothing. "" when there is none.
Result<std::string> own_volume(json::object& spec, const std::string& claim) {
    for (json::value& value : make_array(spec, "volumes")) {
        json::object* volume = value.if_object();
        if (!volume || claim_of(*volume) != claim) continue;
        json::object& csi = *object_at(*volume, "csi");
        const json::value* read_only = csi.if_contains("readOnly");
        if (read_only && *read_only == json::value(false))
            return Error(ErrorKind::refused, fmt::format("volume {} must have readOnly: true: datasets are never written", text(*volume, "name")));
        csi["readOnly"] = true;
        return text(*volume, "name");
    }
    return std::string();
}

Result<> add_mount(json::object& container, const std::string& volume, const api::DatasetClaim& claim) {
    const std::string path = plain_path(claim.spec.mount_path);
    json::array& mounts = make_array(container, "volumeMounts");
    for (const json::value& value : mounts) {
        const json::object* mount = value.if_object();
        if (!mount || plain_path(text(*mount, "mountPath")) != path) continue;
        if (text(*mount, "name") == volume) return {};
        return Error(ErrorKind::refused, fmt::format("container {} mounts volume {} at {}, where DatasetClaim {} wants its data: change one of the two paths",
                                                     text(container, "name"), text(*mount, "name"), path, claim.metadata.name));
    }
    mounts.push_back(json::object{{"name", volume}, {"mountPath", path}, {"readOnly", true}});
    return {};
}

Result<> add_mounts(json::object& spec, const std::string& volume, const api::DatasetClaim& claim) {
    std::set<std::string> wanted(claim.spec.containers.begin(), claim.spec.containers.end());
    const bool all = wanted.empty();
    for (const char* list : kContainerLists) {
        json::value* containers = spec.if_contains(list);
        if (!containers || !containers->is_array()) continue;
        for (json::value& value : containers->get_array()) {
            json::object* container = value.if_object();
            if (!container || (!all && wanted.erase(text(*container, "name")) == 0)) continue;
            ZCDP_CHECK(add_mount(*container, volume, claim));
        }
    }
    if (wanted.empty()) return {};
    return Error(ErrorKind::refused, fmt::format("DatasetClaim {} names container {}, which the pod has not", claim.metadata.name, *wanted.begin()));
}

void prefer_label(json::object& affinity, const std::string& label, int64_t weight) {
    json::array& terms = make_array(make_object(affinity, "nodeAffinity"), "preferredDuringSchedulingIgnoredDuringExecution");
    const json::object expression{{"key", label}, {"operator", "In"}, {"values", json::array{"ready"}}};
    const json::object preference{{"matchExpressions", json::array{expression}}};
    for (json::value& value : terms)
        if (json::object* term = value.if_object(); term && term->contains("preference") && term->at("preference") == json::value(preference)) {
            (*term)["weight"] = weight;
            return;
        }
    terms.push_back(json::object{{"weight", weight}, {"preference", preference}});
}

void add_gate(json::object& spec) {
    json::array& gates = make_array(spec, "schedulingGates");
    const json::value gate = json::object{{"name", api::kGate}};
    if (std::find(gates.begin(), gates.end(), gate) == gates.end()) gates.push_back(gate);
}

/// 100 x the dataset's bytes / all the pod's claimed bytes, between 1 and 100.
int64_t weight_of(const api::Dataset& dataset, uint64_t all_bytes) {
    const uint64_t bytes = dataset.status.bytes.value_or(0);
    if (all_bytes == 0) return 100;
    return std::clamp<int64_t>(static_cast<int64_t>(static_cast<double>(bytes) * 100.0 / static_cast<double>(all_bytes)), 1, 100);
}

void place(json::object& spec, const PodClaimInput& input, uint64_t all_bytes) {
    const std::string policy = input.claim->spec.policy.empty() ? "Prefer" : input.claim->spec.policy;
    if (policy == "Ignore" || !text(spec, "nodeName").empty()) return;  // placed by hand already
    if (policy == "WaitForData" || (policy == "Require" && !input.dataset)) add_gate(spec);
    if (!input.dataset) return;
    for (const auto& [label, value] : input.dataset->spec.placement.node_selector) require_label(make_object(spec, "affinity"), label, value);
    const std::string label = api::data_label(input.dataset->metadata.uid);
    if (policy == "Prefer") prefer_label(make_object(spec, "affinity"), label, weight_of(*input.dataset, all_bytes));
    if (policy == "Require") require_label(make_object(spec, "affinity"), label);
}

}  // namespace

std::vector<std::shared_ptr<const api::DatasetClaim>> claims_for(const json::object& pod, const Objects<api::DatasetClaim>& claims) {
    const auto parsed = api::from_json<api::Pod>(json::value(pod));
    std::vector<std::shared_ptr<const api::DatasetClaim>> out;
    if (!parsed) return out;
    const auto named = parsed->claims();
    for (const auto& claim : claims) {
        if (claim->metadata.deleting()) continue;
        const bool by_name = std::find(named.begin(), named.end(), claim->metadata.name) != named.end();
        const bool selected = claim->spec.pod_selector && claim->spec.pod_selector->matches(parsed->metadata.labels);
        if (by_name || selected) out.push_back(claim);
    }
    std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a->metadata.name < b->metadata.name; });
    return out;
}

Result<> mutate_pod(json::object& pod, const std::vector<PodClaimInput>& claims) {
    if (claims.empty()) return {};
    json::object& spec = make_object(pod, "spec");
    uint64_t all_bytes = 0;
    for (const PodClaimInput& input : claims)
        if (input.dataset) all_bytes += input.dataset->status.bytes.value_or(0);
    std::set<std::string> names;
    std::map<std::string, std::string> paths;
    for (const PodClaimInput& input : claims) {
        const api::DatasetClaim& claim = *input.claim;
        const std::string& name = claim.metadata.name;
        names.insert(name);
        ZCDP_TRY(const std::string own, own_volume(spec, name));
        const std::string volume = api::volume_name(name);
        if (own.empty() || own == volume) {
            const auto [at, fresh] = paths.emplace(plain_path(claim.spec.mount_path), name);
            if (!fresh && claim.spec.containers.empty())
                return Error(ErrorKind::refused, fmt::format("DatasetClaims {} and {} both want {}: change the mountPath of one of them", at->second, name, at->first));
            if (own.empty())
                make_array(spec, "volumes").push_back(json::object{{"name", volume}, {"csi", json::object{{"driver", api::kDriver}, {"readOnly", true},
                                                                   {"volumeAttributes", json::object{{api::kClaimAttribute, name}}}}}});
            ZCDP_CHECK(add_mounts(spec, volume, claim));
        }
        place(spec, input, all_bytes);
    }
    std::string list;
    for (const std::string& name : names) list += (list.empty() ? "" : ",") + name;
    make_object(make_object(pod, "metadata"), "annotations")[api::kClaimsAnnotation] = list;
    return {};
}

json::array pod_patch(const json::object& before, const json::object& after) {
    json::array out;
    const auto compare = [&](const json::object& old_parent, const json::object& new_parent, const std::string& path, std::string_view name) {
        const json::value* was = old_parent.if_contains(name);
        const json::value* is = new_parent.if_contains(name);
        if (!is || (was && *was == *is)) return;
        out.push_back(json::object{{"op", was ? "replace" : "add"}, {"path", path + "/" + std::string(name)}, {"value", *is}});
    };
    const json::object none;
    const auto part = [&](const json::object& object, std::string_view name) -> const json::object& {
        const json::value* value = object.if_contains(name);
        return value && value->is_object() ? value->get_object() : none;
    };
    compare(part(before, "metadata"), part(after, "metadata"), "/metadata", "annotations");
    for (const char* name : {"volumes", "initContainers", "containers", "affinity", "schedulingGates"}) compare(part(before, "spec"), part(after, "spec"), "/spec", name);
    return out;
}

}  // namespace zcdp::services
