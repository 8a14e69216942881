#include "src/services/controller/upkeep/roles.hpp"

#include <boost/json/serialize.hpp>
#include <set>

namespace zcdp::services::controller {
namespace {

namespace json = boost::json;

constexpr const char* kRole = "zcdp-agent-secrets";

json::object rule(const char* resource, const std::set<std::string>& names) {
    json::array list;
    for (const std::string& name : names) list.push_back(json::value(name));
    return {{"apiGroups", json::array{""}},
            {"resources", json::array{resource}},
            {"resourceNames", std::move(list)},
            {"verbs", json::array{"get"}}};
}

}  // namespace

json::array agent_rules(const Objects<api::StorageBackend>& backends) {
    std::set<std::string> secrets, maps{"zcdp-ca"};
    for (const auto& backend : backends) {
        // zcdp's own CA key is a Secret of the same namespace: no backend may name it to agents.
        if (const auto& name = backend->spec.secret_ref.name; !name.empty() && name != "zcdp-controller-ca")
            secrets.insert(name);
        if (const auto& name = backend->spec.ca_bundle_ref.name; !name.empty()) maps.insert(name);
    }
    json::array rules{rule("configmaps", maps)};
    if (!secrets.empty()) rules.push_back(rule("secrets", secrets));  // without names a rule would mean all of them
    return rules;
}

Result<> AgentRole::keep(bool look) {
    const MutexLock lock(mutex_);
    const json::array rules = agent_rules(world_.backends.list());
    std::string text = json::serialize(rules);
    if (look) {
        const auto have = api_.get(kube::resources::roles, namespace_, kRole);
        if (!have) return have.error().to_error();
        const json::value* now = have->if_contains("rules");
        if (now && *now == json::value(rules)) written_ = text;
        else written_.clear();
    }
    if (text == written_) return {};
    const json::object patch{{"rules", rules}};
    auto put = api_.patch(kube::resources::roles, namespace_, kRole, kube::PatchKind::merge, patch);
    if (!put) return put.error().to_error();
    written_ = std::move(text);
    return {};
}

}  // namespace zcdp::services::controller
