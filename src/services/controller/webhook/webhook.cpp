#include "src/services/controller/webhook/webhook.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "zcdp/base/base64.hpp"

namespace zcdp::services::controller {
namespace {

namespace json = boost::json;

constexpr size_t kNamespacesMost = 1'000;
constexpr size_t kWarningsMost = 8,
                 kWarningMost = 250;  // the API server cuts them at 256 bytes, and all of them at 4 KiB

const json::object* object_at(const json::object& parent, std::string_view name) {
    const json::value* value = parent.if_contains(name);
    return value ? value->if_object() : nullptr;
}
std::string text_at(const json::object& parent, std::string_view name) {
    const json::value* value = parent.if_contains(name);
    return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

net::server::ControlResponse review(json::object response) {
    const json::object out{
        {"apiVersion", "admission.k8s.io/v1"}, {"kind", "AdmissionReview"}, {"response", std::move(response)}};
    return {200, "application/json", json::serialize(out), {}};
}

}  // namespace

Objects<api::DatasetClaim> Webhook::claims_in(const std::string& ns) {
    const int64_t arrived_ns = clock_.monotonic_ns();
    const MutexLock lock(mutex_);
    if (const auto at = known_.find(ns); at != known_.end() && at->second.begun_at_ns >= arrived_ns)
        return at->second.claims;
    Known fresh;
    fresh.begun_at_ns = clock_.monotonic_ns();
    kube::ListOptions options;
    options.ns = ns;
    const auto listed = api_.list(kube::resources::claims, options, [&](json::object&& object) {
        if (auto claim = api::from_json<api::DatasetClaim>(json::value(std::move(object))))
            fresh.claims.push_back(std::make_shared<const api::DatasetClaim>(std::move(*claim)));
    });
    if (!listed) {
        log_.warn("claims could not be listed", {{"namespace", ns}, {"error", listed.error().message()}});
        return world_.claims.by_index(ns);
    }
    if (known_.size() >= kNamespacesMost) known_.clear();
    return (known_[ns] = std::move(fresh)).claims;
}

std::shared_ptr<const api::Dataset> Webhook::dataset(const api::DatasetKey& key) {
    if (auto known = world_.dataset(key)) return known;
    auto got = api_.get(kube::resources::datasets, key.namespace_, key.name);
    if (!got) return nullptr;
    auto parsed = api::from_json<api::Dataset>(json::value(std::move(*got)));
    return parsed ? std::make_shared<const api::Dataset>(std::move(*parsed)) : nullptr;
}

Result<std::pair<json::array, std::vector<std::string>>> Webhook::patch_for(const json::object& request) {
    const json::object* pod = object_at(request, "object");
    const std::string ns = text_at(request, "namespace");
    if (!pod || ns.empty()) return std::pair(json::array(), std::vector<std::string>());
    std::vector<PodClaimInput> inputs;
    for (const auto& claim : claims_for(*pod, claims_in(ns)))
        inputs.push_back({claim, dataset({ns, claim->spec.dataset})});
    json::object changed = *pod;
    ZCDP_TRY(auto warnings, mutate_pod(changed, inputs));
    return std::pair(pod_patch(*pod, changed), std::move(warnings));
}

net::server::ControlResponse Webhook::answer(const std::string& text) {
    boost::system::error_code code;
    const json::value body = json::parse(text, code);
    const json::object* asked = !code && body.is_object() ? object_at(body.get_object(), "request") : nullptr;
    if (!asked) return {400, "text/plain", "this takes an AdmissionReview\n", {}};
    json::object response{{"uid", text_at(*asked, "uid")}};
    auto patch = patch_for(*asked);
    if (!patch) {
        response["allowed"] = false;
        response["status"] =
            json::object{{"code", 422}, {"reason", "Invalid"}, {"message", "zcdp: " + patch.error().line()}};
        return review(std::move(response));
    }
    response["allowed"] = true;
    if (!patch->first.empty()) {
        response["patchType"] = "JSONPatch";
        response["patch"] = to_base64(json::serialize(patch->first));
    }
    json::array warnings;
    for (const std::string& warning : patch->second)
        if (warnings.size() < kWarningsMost) warnings.emplace_back(("zcdp: " + warning).substr(0, kWarningMost));
    if (!warnings.empty()) response["warnings"] = std::move(warnings);
    return review(std::move(response));
}

}  // namespace zcdp::services::controller
