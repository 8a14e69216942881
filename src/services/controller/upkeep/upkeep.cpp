#include "src/services/controller/upkeep/upkeep.hpp"

#include <algorithm>
#include <set>

#include "src/services/install/manifests.hpp"
#include "src/services/metrics.hpp"

namespace zcdp::services::controller {
namespace {

namespace json = boost::json;

std::string text_at(const json::object& object, std::string_view outer, std::string_view name) {
    const json::value* parent = object.if_contains(outer);
    const json::value* value = parent && parent->is_object() ? parent->get_object().if_contains(name) : nullptr;
    return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

const json::value* name_of(const json::value& member) {
    return member.is_object() ? member.get_object().if_contains("name") : nullptr;
}

bool says_list(const json::array& have, const json::array& wanted) {
    const bool named = std::all_of(wanted.begin(), wanted.end(), [](const json::value& one) { return name_of(one); });
    if (!named || wanted.empty())
        return have.size() == wanted.size() && std::equal(have.begin(), have.end(), wanted.begin(), says);
    return std::all_of(wanted.begin(), wanted.end(), [&](const json::value& one) {
        return std::any_of(have.begin(), have.end(), [&](const json::value& other) {
            const json::value* name = name_of(other);
            return name && *name == *name_of(one) && says(other, one);
        });
    });
}

/// Which of the manifests the controller keeps: what lies beside the workloads, and no right of its own.
bool is_kept(const std::string& kind, const std::string& name) {
    static const std::set<std::string> kinds{"MutatingWebhookConfiguration", "CSIDriver", "Service",
                                             "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"};
    static const std::set<std::string> rights{"ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"};
    return kinds.contains(kind) || (rights.contains(kind) && name.starts_with("zcdp-agent"));
}

std::vector<json::object> kept_manifests() {
    std::vector<json::object> out;
    auto all = manifest_objects({});
    if (!all) return out;  // a bug of ours, which `zcdp install` reports
    for (json::object& one : *all)
        if (essential_part(one)) out.push_back(std::move(one));
    return out;
}

/// What an API server may leave out, or not know yet.
bool is_nothing(const json::value& value) {
    return value.is_null() || value == json::value(false) || value == json::value("") ||
           (value.is_array() && value.get_array().empty());
}

}  // namespace

bool says(const json::value& have, const json::value& wanted) {
    if (wanted.is_array()) return have.is_array() && says_list(have.get_array(), wanted.get_array());
    if (!wanted.is_object()) return have == wanted;
    if (!have.is_object()) return false;
    return std::all_of(wanted.get_object().begin(), wanted.get_object().end(), [&](const auto& member) {
        const json::value* other = have.get_object().if_contains(member.key());
        return other ? says(*other, member.value()) : is_nothing(member.value());
    });
}

std::optional<json::object> essential_part(const json::object& manifest) {
    const std::string kind(manifest.at("kind").as_string()), name = text_at(manifest, "metadata", "name");
    if (!is_kept(kind, name)) return std::nullopt;
    json::object out = manifest;
    json::object labels;
    if (const json::value* all = manifest.at("metadata").as_object().if_contains("labels"))
        for (const auto& label : all->as_object())
            if (!label.key().starts_with("app")) labels[label.key()] = label.value();
    out.erase("apiVersion");
    out["metadata"] = json::object{{"labels", labels}};
    if (labels.empty()) out.erase("metadata");
    if (kind == "Role") out.erase("rules");  // AgentRole keeps these
    if (json::value* hooks = out.if_contains("webhooks"))
        for (json::value& hook : hooks->as_array())
            for (const char* theirs : {"namespaceSelector", "failurePolicy", "timeoutSeconds", "reinvocationPolicy"})
                hook.as_object().erase(theirs);
    return out;
}

Upkeep::Upkeep(kube::Api& api, Metrics& metrics, Logger& log) : api_(api), metrics_(metrics), log_(log) {
    for (json::object& one : kept_manifests()) {
        Kept kept{resource_of(one),
                  text_at(one, "metadata", "namespace"),
                  text_at(one, "metadata", "name"),
                  {},
                  *essential_part(one)};
        kept.manifest = std::move(one);
        kept_.push_back(std::move(kept));
    }
}

Result<> Upkeep::keep(const Kept& one) {
    const std::string what = std::string(one.resource->kind) + " " + one.name;
    auto have = api_.get(*one.resource, one.ns, one.name);
    const bool gone = !have && have.error().kind() == kube::ApiErrorKind::not_found;
    if (!have && !gone) return Error(have.error().to_error().kind(), have.error().message(), what);
    if (have && says(*have, one.essential)) return {};
    if (have && have->at("metadata").as_object().contains("deletionTimestamp"))
        return {};  // it is made anew once it is gone
    auto put = api_.patch(*one.resource, one.ns, one.name, kube::PatchKind::apply, one.manifest);
    if (!put) return Error(put.error().to_error().kind(), put.error().message(), what, "zcdp install puts it back");
    log_.warn("put back what zcdp needs", {{"object", what}, {"was", gone ? "deleted" : "changed"}});
    metrics_.counter(metric::repairs).add();
    return {};
}

Result<> Upkeep::keep() {
    Result<> out;
    for (const Kept& one : kept_)
        if (auto done = keep(one); !done && out) out = std::move(done);
    return out;
}

/// One object's watch.
class Tripwires::Wire final : public kube::CacheSink {
  public:
    Wire(std::atomic<bool>& tripped, kube::Api& api, const kube::Resource& resource, const std::string& ns,
         const std::string& name, Random& random, Logger& log)
        : tripped_(tripped), resource_(resource), informer_(api, resource_, scope(ns, name), *this, random, log) {}
    void begin_replace() override {}
    void put(json::object&&) override { tripped_ = true; }
    void end_replace() override { tripped_ = true; }
    void erase(const json::object&) override { tripped_ = true; }

  private:
    /// This one field is what a right to this one name is for.
    static kube::ListOptions scope(const std::string& ns, const std::string& name) {
        kube::ListOptions out;
        out.ns = ns, out.field_selector = "metadata.name=" + name;
        return out;
    }
    std::atomic<bool>& tripped_;
    const kube::Resource resource_;
    kube::Informer informer_;  // last: it calls the others
};

Tripwires::Tripwires(kube::Api& api, const std::string& system_namespace, Random& random, Logger& log) {
    const auto add = [&](const kube::Resource& resource, const std::string& ns, const std::string& name) {
        wires_.push_back(std::make_unique<Wire>(tripped_, api, resource, ns, name, random, log));
    };
    for (const json::object& one : kept_manifests())
        add(*resource_of(one), text_at(one, "metadata", "namespace"), text_at(one, "metadata", "name"));
    add(kube::resources::secrets, system_namespace, "zcdp-controller-ca");
    add(kube::resources::config_maps, system_namespace, "zcdp-ca");
}

Tripwires::~Tripwires() = default;

}  // namespace zcdp::services::controller
