#include "src/services/install/manifests.hpp"

#include <yaml-cpp/yaml.h>

#include <array>
#include <charconv>

asm(R"(
.pushsection .rodata
.global zcdp_manifests_begin
zcdp_manifests_begin:
.incbin ")" ZCDP_MANIFESTS R"("
.global zcdp_manifests_end
zcdp_manifests_end:
.popsection
)");
extern "C" const char zcdp_manifests_begin[], zcdp_manifests_end[];

namespace zcdp::services {
namespace {

namespace json = boost::json;

constexpr std::array kResources{
    kube::resources::namespaces,
    kube::resources::crds,
    kube::resources::service_accounts,
    kube::resources::services,
    kube::resources::deployments,
    kube::resources::daemon_sets,
    kube::resources::webhooks,
    kube::resources::roles,
    kube::Resource{"rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding", true},
    kube::Resource{"rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", false},
    kube::Resource{"rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", false},
    kube::Resource{"storage.k8s.io", "v1", "csidrivers", "CSIDriver", false},
    kube::Resource{"policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", true},
    kube::Resource{"admissionregistration.k8s.io", "v1", "validatingadmissionpolicies", "ValidatingAdmissionPolicy",
                   false},
    kube::Resource{"admissionregistration.k8s.io", "v1", "validatingadmissionpolicybindings",
                   "ValidatingAdmissionPolicyBinding", false},
};

void replace_all(std::string& text, std::string_view from, std::string_view to) {
    for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
        text.replace(at, from.size(), to);
}

/// A plain scalar by YAML's core schema; a quoted one is text.
json::value scalar(const YAML::Node& node) {
    const std::string& text = node.Scalar();
    if (node.Tag() == "!") return json::value(text);
    if (text == "true" || text == "false") return text == "true";
    if (text.empty() || text == "null" || text == "~") return nullptr;
    int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc() && end == text.data() + text.size()) return number;
    return json::value(text);
}

json::value to_value(const YAML::Node& node) {
    if (node.IsMap()) {
        json::object out;
        for (const auto& pair : node) out[pair.first.as<std::string>()] = to_value(pair.second);
        return out;
    }
    if (node.IsSequence()) {
        json::array out;
        for (const YAML::Node& item : node) out.push_back(to_value(item));
        return out;
    }
    return node.IsScalar() ? scalar(node) : json::value();
}

}  // namespace

std::string manifests_yaml(const InstallOptions& options) {
    std::string text(zcdp_manifests_begin, zcdp_manifests_end);
    replace_all(text, "image: zcdp:latest", "image: " + options.image);
    if (!options.cluster_ranges.empty()) {
        replace_all(text, "args: [controller, ",
                    "args: [controller, --cluster-range, \"" + options.cluster_ranges + "\", ");
        replace_all(text, "args: [agent, ", "args: [agent, --cluster-range, \"" + options.cluster_ranges + "\", ");
    }
    return text;
}

Result<std::vector<json::object>> manifest_objects(const InstallOptions& options) {
    std::vector<json::object> out;
    try {
        for (const YAML::Node& document : YAML::LoadAll(manifests_yaml(options)))
            if (json::value value = to_value(document); value.is_object()) out.push_back(std::move(value.get_object()));
    } catch (const YAML::Exception& error) {
        return Error(ErrorKind::failed, std::string("the embedded manifests cannot be read: ") + error.what());
    }
    return out;
}

const kube::Resource* resource_of(const json::object& object) {
    for (const kube::Resource& resource : kResources)
        if (object.at("kind") == json::value(resource.kind) &&
            object.at("apiVersion") == json::value(resource.api_version()))
            return &resource;
    return nullptr;
}

}  // namespace zcdp::services
