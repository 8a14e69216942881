#include "src/services/controller/webhook/mutate_pod.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "src/services/backend/nested_mounts.hpp"
#include "src/services/controller/decide/decide_small.hpp"

namespace zcdp::services::controller {
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
            return Error(
                ErrorKind::refused,
                fmt::format("volume {} must have readOnly: true: datasets are never written", text(*volume, "name")));
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
        return Error(ErrorKind::refused,
                     fmt::format("container {} mounts volume {} at {}, where DatasetClaim {} wants its data: change "
                                 "one of the two paths",
                                 text(container, "name"), text(*mount, "name"), path, claim.metadata.name));
    }
    mounts.push_back(json::object{{"name", volume}, {"mountPath", path}, {"readOnly", true}});
    return {};
}

/// Calls `each` for every container; stops at an error.
template <class Each>
Result<> for_containers(json::object& spec, Each&& each) {
    for (const char* list : kContainerLists) {
        json::value* containers = spec.if_contains(list);
        if (!containers || !containers->is_array()) continue;
        for (json::value& value : containers->get_array())
            if (json::object* container = value.if_object()) ZCDP_CHECK(each(*container));
    }
    return {};
}

/// The containers that the claim names and the pod has not.
std::set<std::string> absent_containers(json::object& spec, const api::DatasetClaim& claim) {
    std::set<std::string> absent(claim.spec.containers.begin(), claim.spec.containers.end());
    (void)for_containers(spec, [&](json::object& container) {
        absent.erase(text(container, "name"));
        return Result<>();
    }).has_value();
    return absent;
}

Result<> add_mounts(json::object& spec, const std::string& volume, const api::DatasetClaim& claim) {
    const std::set<std::string> wanted(claim.spec.containers.begin(), claim.spec.containers.end());
    return for_containers(spec, [&](json::object& container) -> Result<> {
        if (!wanted.empty() && !wanted.contains(text(container, "name"))) return {};
        return add_mount(container, volume, claim);
    });
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
    return std::clamp<int64_t>(
        static_cast<int64_t>(static_cast<double>(bytes) * 100.0 / static_cast<double>(all_bytes)), 1, 100);
}

void place(json::object& spec, const PodClaimInput& input, uint64_t all_bytes) {
    const api::Word<api::ClaimPolicy>& policy = input.claim->spec.policy;
    if (policy == api::ClaimPolicy::ignore || !text(spec, "nodeName").empty()) return;  // placed by hand already
    // The label is asked for when the gate goes: by then it is known whether a node can have it, and kubelet has heard
    // of it.
    if (policy == api::ClaimPolicy::wait_for_data || policy == api::ClaimPolicy::require) add_gate(spec);
    if (!input.dataset) return;
    for (const auto& [label, value] : input.dataset->spec.placement.node_selector)
        require_label(make_object(spec, "affinity"), label, value);
    const std::string label = api::data_label(input.dataset->metadata.uid);
    if (policy.empty() || policy == api::ClaimPolicy::prefer)
        prefer_label(make_object(spec, "affinity"), label, weight_of(*input.dataset, all_bytes));
}

}  // namespace

std::vector<std::shared_ptr<const api::DatasetClaim>> claims_for(const json::object& pod,
                                                                 const Objects<api::DatasetClaim>& claims) {
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

namespace {

std::string joined(const std::set<std::string>& names) {
    std::string out;
    for (const std::string& name : names) out += (out.empty() ? "" : ",") + name;
    return out;
}

/// The volumes are told of the mounts inside of them.
void tell_of_nested(json::object& pod, std::vector<std::string>& warnings) {
    const auto nested = backend::nested_mounts(pod);
    for (const backend::NestedMount& mount : nested)
        warnings.push_back(
            fmt::format("{}: the pod starts only if the dataset has the folder {}", mount.line(), mount.folder));
    for (json::value& value : make_array(make_object(pod, "spec"), "volumes")) {
        json::object* volume = value.if_object();
        if (!volume || claim_of(*volume).empty()) continue;
        json::object& attributes = *object_at(*object_at(*volume, "csi"), "volumeAttributes");
        if (const std::string below = backend::below_attribute(nested, text(*volume, "name")); !below.empty())
            attributes[api::kBelowAttribute] = below;
        else attributes.erase(api::kBelowAttribute);
    }
}

/// Whether the claim has nothing to do with this pod after all: it selects it, and the pod has none of the containers
/// it names.
bool passes_over(json::object& spec, const api::DatasetClaim& claim, bool has_volume,
                 std::vector<std::string>& warnings) {
    const std::set<std::string> absent = absent_containers(spec, claim);
    if (absent.empty()) return false;
    const bool none =
        absent.size() == std::set<std::string>(claim.spec.containers.begin(), claim.spec.containers.end()).size();
    if (none && !has_volume)
        warnings.push_back(fmt::format(
            "DatasetClaim {} selects this pod and names container {}, which it has not: it is made without that data",
            claim.metadata.name, joined(absent)));
    return none && !has_volume;
}

}  // namespace

Result<std::vector<std::string>> mutate_pod(json::object& pod, const std::vector<PodClaimInput>& claims) {
    std::vector<std::string> warnings;
    if (claims.empty()) return warnings;
    json::object& spec = make_object(pod, "spec");
    std::set<std::string> names, passed_over;
    std::map<std::string, std::string> paths;
    std::vector<const PodClaimInput*> used;
    uint64_t all_bytes = 0;
    for (const PodClaimInput& input : claims) {
        const api::DatasetClaim& claim = *input.claim;
        const std::string& name = claim.metadata.name;
        ZCDP_TRY(const std::string own, own_volume(spec, name));
        if (passes_over(spec, claim, !own.empty(), warnings)) {
            passed_over.insert(name);
            continue;
        }
        names.insert(name), used.push_back(&input);
        if (input.dataset) all_bytes += input.dataset->status.bytes.value_or(0);
        const std::string volume = api::volume_name(name);
        if (!own.empty() && own != volume) continue;
        const auto [at, fresh] = paths.emplace(plain_path(claim.spec.mount_path), name);
        if (!fresh && claim.spec.containers.empty())
            return Error(ErrorKind::refused,
                         fmt::format("DatasetClaims {} and {} both want {}: change the mountPath of one of them",
                                     at->second, name, at->first));
        if (own.empty())
            make_array(spec, "volumes")
                .push_back(json::object{
                    {"name", volume},
                    {"csi", json::object{{"driver", api::kDriver},
                                         {"readOnly", true},
                                         {"volumeAttributes", json::object{{api::kClaimAttribute, name}}}}}});
        ZCDP_CHECK(add_mounts(spec, volume, claim));
    }
    for (const PodClaimInput* input : used) place(spec, *input, all_bytes);
    json::object& annotations = make_object(make_object(pod, "metadata"), "annotations");
    if (!names.empty()) annotations[api::kClaimsAnnotation] = joined(names);
    if (!passed_over.empty()) annotations[api::kPassedOverAnnotation] = joined(passed_over);
    tell_of_nested(pod, warnings);
    return warnings;
}

json::array pod_patch(const json::object& before, const json::object& after) {
    json::array out;
    const auto compare = [&](const json::object& old_parent, const json::object& new_parent, const std::string& path,
                             std::string_view name) {
        const json::value* was = old_parent.if_contains(name);
        const json::value* is = new_parent.if_contains(name);
        if (!is || (was && *was == *is)) return;
        out.push_back(
            json::object{{"op", was ? "replace" : "add"}, {"path", path + "/" + std::string(name)}, {"value", *is}});
    };
    const json::object none;
    const auto part = [&](const json::object& object, std::string_view name) -> const json::object& {
        const json::value* value = object.if_contains(name);
        return value && value->is_object() ? value->get_object() : none;
    };
    compare(part(before, "metadata"), part(after, "metadata"), "/metadata", "annotations");
    for (const char* name : {"volumes", "initContainers", "containers", "affinity", "schedulingGates"})
        compare(part(before, "spec"), part(after, "spec"), "/spec", name);
    return out;
}

}  // namespace zcdp::services::controller
