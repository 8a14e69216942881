#include "zcdp/services/install.hpp"

#include <fmt/format.h>

#include <functional>
#include <set>

#include "src/services/install/manifests.hpp"
#include "zcdp/api/core.hpp"
#include "zcdp/api/names.hpp"
#include "zcdp/base/stop.hpp"

namespace zcdp::services {
namespace {

namespace json = boost::json;

/// The API is asked again: what is waited for is of many kinds, and a minute's work in a cluster's life.
constexpr uint64_t kLookEveryMs = 500;

std::string text(const json::object& object, std::string_view outer, std::string_view name) {
    const json::value* parent = object.if_contains(outer);
    const json::value* value = parent && parent->is_object() ? parent->get_object().if_contains(name) : nullptr;
    return value && value->is_string() ? std::string(value->get_string()) : std::string();
}
int64_t number(const json::object& object, std::string_view outer, std::string_view name) {
    const json::value* parent = object.if_contains(outer);
    const json::value* value = parent && parent->is_object() ? parent->get_object().if_contains(name) : nullptr;
    return value && value->is_int64() ? value->get_int64() : 0;
}

/// Looks again until `look` returns "", else what is still missing.
Result<> wait_until(const std::string& what, uint64_t timeout_ms, const Clock& clock, const std::stop_token& stop,
                    const std::function<std::string()>& look) {
    const int64_t until_ns = clock.monotonic_ns() + static_cast<int64_t>(timeout_ms) * 1'000'000;
    while (true) {
        const std::string missing = look();
        if (missing.empty()) return {};
        if (stop.stop_requested())
            return Error(ErrorKind::interrupted, "stopped while waiting", what,
                         "the same command goes on where it was");
        if (clock.monotonic_ns() >= until_ns)
            return Error(ErrorKind::timeout, missing, what,
                         "kubectl -n zcdp-system get pods; kubectl -n zcdp-system describe pods");
        (void)wait_for_stop(stop, kLookEveryMs);  // looked at above
    }
}

Result<> check_version(kube::Api& api) {
    auto body = api.raw_get("/version");
    if (!body) return body.error().to_error();
    const size_t at = body->find("\"minor\":");
    const size_t digits = body->find_first_of("0123456789", at);
    if (at == std::string::npos || digits == std::string::npos || std::atoi(body->c_str() + digits) >= 30) return {};
    return Error(ErrorKind::refused, fmt::format("is version 1.{}", std::atoi(body->c_str() + digits)), "the cluster",
                 "zcdp needs Kubernetes 1.30 or later");
}

Result<> apply(kube::Api& api, const json::object& object) {
    const kube::Resource* resource = resource_of(object);
    const std::string name = text(object, "metadata", "name"), ns = text(object, "metadata", "namespace");
    if (!resource) return Error(ErrorKind::failed, "a manifest of a kind that this does not know", name);
    auto put = api.patch(*resource, ns, name, kube::PatchKind::apply, object);
    if (!put)
        return Error(put.error().to_error().kind(), put.error().message(), fmt::format("{} {}", resource->kind, name));
    return {};
}

std::string deployment_missing(kube::Api& api) {
    auto object = api.get(kube::resources::deployments, api::kSystemNamespace, "zcdp-controller");
    if (!object) return object.error().message();
    const int64_t wanted = number(*object, "spec", "replicas"), ready = number(*object, "status", "readyReplicas");
    const bool seen = number(*object, "status", "observedGeneration") >= number(*object, "metadata", "generation");
    const int64_t updated = number(*object, "status", "updatedReplicas");
    return seen && ready >= wanted && updated >= wanted ? ""
                                                        : fmt::format("{} of {} controllers are ready", ready, wanted);
}

std::string daemon_set_missing(kube::Api& api) {
    auto object = api.get(kube::resources::daemon_sets, api::kSystemNamespace, "zcdp-agent");
    if (!object) return object.error().message();
    const int64_t wanted = number(*object, "status", "desiredNumberScheduled"),
                  ready = number(*object, "status", "numberReady");
    const bool seen = number(*object, "status", "observedGeneration") >= number(*object, "metadata", "generation");
    const int64_t updated = number(*object, "status", "updatedNumberScheduled");
    return seen && ready >= wanted && updated >= wanted && wanted > 0
               ? ""
               : fmt::format("{} of {} agents are ready", ready, wanted);
}

/// "NAMESPACE/POD" of the first pod that mounts a dataset or waits for one; "" when there is none.
Result<std::string> a_user(kube::Api& api) {
    std::string found;
    kube::ListOptions options;
    auto listed = api.list(kube::resources::pods, options, [&](json::object&& object) {
        if (!found.empty()) return;
        const auto pod = api::from_json<api::Pod>(json::value(std::move(object)));
        if (!pod || pod->ended()) return;
        for (const api::Volume& volume : pod->spec.volumes)
            if (volume.csi && volume.csi->driver == api::kDriver) found = pod->metadata.key();
    });
    if (!listed) return listed.error().to_error();
    return found;
}

/// Deletes all objects of a kind; those of a CRD that is not there count as none.
Result<std::set<std::string>> names_of(kube::Api& api, const kube::Resource& resource, bool remove) {
    std::set<std::string> out;
    std::vector<std::pair<std::string, std::string>> all;
    auto listed = api.list(resource, {}, [&](json::object&& object) {
        all.emplace_back(text(object, "metadata", "namespace"), text(object, "metadata", "name"));
    });
    if (!listed && listed.error().kind() == kube::ApiErrorKind::not_found) return out;
    if (!listed) return listed.error().to_error();
    for (const auto& [ns, name] : all) {
        out.insert(ns.empty() ? name : ns + "/" + name);
        if (!remove) continue;
        auto gone = api.remove(resource, ns, name);
        if (!gone && gone.error().kind() != kube::ApiErrorKind::not_found) return gone.error().to_error();
    }
    return out;
}

Result<> remove_all(kube::Api& api, const kube::Resource& resource, const InstallOptions& options, const Say& say,
                    const Clock& clock, const std::stop_token& stop) {
    ZCDP_TRY(const auto names, names_of(api, resource, true));
    if (names.empty()) return {};
    say(fmt::format("removing {} {}", names.size(), resource.plural));
    return wait_until(resource.plural, options.timeout_ms, clock, stop, [&]() -> std::string {
        auto left = names_of(api, resource, false);
        if (!left) return left.error().line();
        return left->empty() ? "" : fmt::format("{} is still there", *left->begin());
    });
}

/// The controller goes first: it would put back what is taken away.
Result<> remove_controller(kube::Api& api, const InstallOptions& options, const Say& say, const Clock& clock,
                           const std::stop_token& stop) {
    auto gone = api.remove(kube::resources::deployments, api::kSystemNamespace, "zcdp-controller");
    if (!gone && gone.error().kind() == kube::ApiErrorKind::not_found) return {};
    if (!gone) return gone.error().to_error();
    say("removed Deployment zcdp-controller");
    kube::ListOptions scope;
    scope.ns = api::kSystemNamespace, scope.label_selector = "app=zcdp-controller";
    return wait_until("the controller's pods", options.timeout_ms, clock, stop, [&]() -> std::string {
        std::string left;
        auto listed = api.list(kube::resources::pods, scope,
                               [&](json::object&& object) { left = text(object, "metadata", "name"); });
        return !listed ? listed.error().message() : left.empty() ? "" : left + " is still there";
    });
}

/// Labels of ours that are left on nodes, for example because the controller was gone first.
Result<> clean_nodes(kube::Api& api) {
    std::vector<std::pair<std::string, json::object>> patches;
    auto listed = api.list(kube::resources::nodes, {}, [&](json::object&& object) {
        const auto node = api::from_json<api::Node>(json::value(std::move(object)));
        if (!node) return;
        json::object labels;
        for (const auto& [label, value] : node->metadata.labels)
            if (label.starts_with(api::kDataLabelPrefix)) labels[label] = nullptr;
        if (!labels.empty())
            patches.emplace_back(node->metadata.name,
                                 json::object{{"metadata", json::object{{"labels", std::move(labels)}}}});
    });
    if (!listed) return listed.error().to_error();
    for (const auto& [name, patch] : patches)
        if (auto put = api.patch(kube::resources::nodes, "", name, kube::PatchKind::merge, patch); !put)
            return put.error().to_error();
    return {};
}

}  // namespace

Result<> install(kube::Api& api, const InstallOptions& options, const Say& say, const Clock& clock,
                 std::stop_token stop) {
    ZCDP_CHECK(check_version(api));
    ZCDP_TRY(const auto objects, manifest_objects(options));
    for (const json::object& object : objects) {
        ZCDP_CHECK(apply(api, object));
        say(fmt::format("applied {} {}", std::string(object.at("kind").as_string()), text(object, "metadata", "name")));
    }
    say("waiting for the controller");
    ZCDP_CHECK(wait_until("Deployment zcdp-system/zcdp-controller", options.timeout_ms, clock, stop,
                          [&] { return deployment_missing(api); }));
    say("waiting for the agents");
    ZCDP_CHECK(wait_until("DaemonSet zcdp-system/zcdp-agent", options.timeout_ms, clock, stop,
                          [&] { return daemon_set_missing(api); }));
    say("zcdp is ready");
    return {};
}

Result<> uninstall(kube::Api& api, const InstallOptions& options, const Say& say, const Clock& clock,
                   std::stop_token stop) {
    ZCDP_TRY(const std::string user, a_user(api));
    if (!user.empty())
        return Error(ErrorKind::busy, "uses a dataset", "pod " + user, "delete it first, and whatever makes it again");
    for (const kube::Resource* kind : {&kube::resources::claims, &kube::resources::datasets,
                                       &kube::resources::node_datasets, &kube::resources::backends})
        ZCDP_CHECK(remove_all(api, *kind, options, say, clock, stop));
    ZCDP_CHECK(clean_nodes(api));
    ZCDP_TRY(auto objects, manifest_objects(options));
    ZCDP_CHECK(remove_controller(api, options, say, clock, stop));
    for (auto at = objects.rbegin(); at != objects.rend(); ++at) {
        const kube::Resource* resource = resource_of(*at);
        const std::string name = text(*at, "metadata", "name"), ns = text(*at, "metadata", "namespace");
        auto gone = api.remove(*resource, ns, name);
        if (!gone && gone.error().kind() != kube::ApiErrorKind::not_found) return gone.error().to_error();
        if (gone) say(fmt::format("removed {} {}", resource->kind, name));
    }
    return wait_until("namespace zcdp-system", options.timeout_ms, clock, stop, [&]() -> std::string {
        auto ns = api.get(kube::resources::namespaces, "", api::kSystemNamespace);
        return !ns && ns.error().kind() == kube::ApiErrorKind::not_found ? "" : "it is still being removed";
    });
}

}  // namespace zcdp::services
