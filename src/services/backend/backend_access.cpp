#include "src/services/backend/backend_access.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "src/services/backend/backend_source.hpp"
#include "zcdp/base/base64.hpp"
#include "zcdp/base/units.hpp"

namespace zcdp::services::backend {
namespace {

/// Never an origin: this host itself, link-local (every cloud's metadata service), "this network", multicast.
const std::vector<std::string> kNeverOrigins{"0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4",  "::/128",
                                             "::1/128",   "fe80::/10",   "ff00::/8",       "fd00:ec2::/32"};

const kube::json::object* data_of(const kube::json::object& object) {
    const kube::json::value* data = object.if_contains("data");
    return data ? data->if_object() : nullptr;
}

Error missing(kube::ApiError error, const std::string& what) {
    const auto kind = error.kind() == kube::ApiErrorKind::not_found ? ErrorKind::not_found : error.to_error().kind();
    return Error(kind, error.message(), what);
}

/// The sets of keys of which a Secret must have one.
const std::vector<std::vector<std::string>>& key_sets(const std::string& type) {
    static const std::map<std::string, std::vector<std::vector<std::string>>> sets{
        {"s3", {{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}}},
        {"oss", {{"OSS_ACCESS_KEY_ID", "OSS_ACCESS_KEY_SECRET"}}},
        {"gcs", {{"GOOGLE_APPLICATION_CREDENTIALS_JSON"}}},
        {"azure", {{"AZURE_STORAGE_KEY"}, {"AZURE_STORAGE_SAS_TOKEN"}, {"AZURE_STORAGE_CONNECTION_STRING"}}},
        {"http", {{"ZCDP_HTTP_TOKEN"}, {"ZCDP_HTTP_USER", "ZCDP_HTTP_PASSWORD"}}},
        {"hf", {{"HF_TOKEN"}}},
    };
    return sets.at(type);
}

bool has_credentials(const std::string& type, const std::map<std::string, std::string>& have) {
    const auto& sets = key_sets(type);
    return std::any_of(sets.begin(), sets.end(), [&](const auto& set) {
        return std::all_of(set.begin(), set.end(), [&](const auto& key) { return have.contains(key); });
    });
}

std::string wanted_keys(const std::string& type) {
    std::string out;
    for (const auto& set : key_sets(type))
        out += fmt::format("{}{}", out.empty() ? "" : ", and no ", fmt::join(set, " or no "));
    return out;
}

Result<> add_secret(kube::Api& api, const api::StorageBackend& backend, const AccessRules& rules,
                    BackendAccess& access) {
    const std::string& name = backend.spec.secret_ref.name;
    if (name.empty()) return {};
    const std::string what = "Secret " + rules.system_namespace + "/" + name;
    auto secret = api.get(kube::resources::secrets, rules.system_namespace, name);
    if (!secret) return missing(secret.error(), what);
    for (const std::string& key : origin::credential_names())
        if (std::string value = secret_value(*secret, key.c_str()); !value.empty())
            access.options.credentials[key] = std::move(value);
    if (!has_credentials(backend.spec.type, access.options.credentials))
        return Error(ErrorKind::denied, "has no " + wanted_keys(backend.spec.type), what, "kubectl edit it");
    // As the origin's own credentials are: a Secret made with `echo` has a line break at the end.
    ZCDP_TRY(access.options.proxy_user,
             origin::clean_secret(secret_value(*secret, "PROXY_USER"), what + " PROXY_USER"));
    ZCDP_TRY(access.options.proxy_password,
             origin::clean_secret(secret_value(*secret, "PROXY_PASSWORD"), what + " PROXY_PASSWORD"));
    return {};
}

Result<> add_ca(kube::Api& api, const api::StorageBackend& backend, const AccessRules& rules, BackendAccess& access) {
    const std::string& name = backend.spec.ca_bundle_ref.name;
    if (name.empty()) return {};
    const std::string what = "ConfigMap " + rules.system_namespace + "/" + name;
    auto map = api.get(kube::resources::config_maps, rules.system_namespace, name);
    if (!map) return missing(map.error(), what);
    const kube::json::object* data = data_of(*map);
    const kube::json::value* pem = data ? data->if_contains("ca.crt") : nullptr;
    if (!pem || !pem->is_string()) return Error(ErrorKind::not_found, "has no key ca.crt", what);
    access.options.ca_pem = std::string(pem->get_string());
    return {};
}

}  // namespace

std::string secret_value(const kube::json::object& secret, const char* key) {
    const kube::json::object* data = data_of(secret);
    const kube::json::value* value = data ? data->if_contains(key) : nullptr;
    if (!value || !value->is_string()) return "";
    return from_base64(value->get_string()).value_or("");
}

bool namespace_allowed(const api::StorageBackendSpec& backend, const std::string& ns) {
    return std::any_of(backend.allowed_namespaces.begin(), backend.allowed_namespaces.end(),
                       [&](const std::string& allowed) { return allowed == "*" || allowed == ns; });
}

Result<BackendAccess> plain_access(const api::StorageBackend& backend, const std::string& prefix,
                                   const AccessRules& rules) {
    const api::StorageBackendSpec& spec = backend.spec;
    BackendAccess out;
    ZCDP_TRY(out.source, source_of(backend, prefix));
    if (spec.type != "http") out.options.endpoint = spec.endpoint;  // there it is part of the source
    out.options.region = spec.region;
    out.options.path_style = spec.path_style;
    out.options.anonymous = spec.identity == "Anonymous";
    out.options.connections = spec.limits.connections;
    out.options.proxy = spec.proxy;
    if (!spec.limits.bytes_per_second.empty()) {
        const auto rate = parse_size(spec.limits.bytes_per_second);
        if (!rate)
            return Error(ErrorKind::usage, "limits.bytesPerSecond is no size",
                         "StorageBackend " + backend.metadata.name);
        out.options.bytes_per_second = *rate;
    }
    out.options.denied_addresses = kNeverOrigins;
    if (!spec.allow_cluster_endpoint)
        out.options.denied_addresses.insert(out.options.denied_addresses.end(), rules.cluster_ranges.begin(),
                                            rules.cluster_ranges.end());
    return out;
}

Result<BackendAccess> backend_access(kube::Api& api, const api::StorageBackend& backend, const std::string& prefix,
                                     const AccessRules& rules) {
    ZCDP_TRY(BackendAccess access, plain_access(backend, prefix, rules));
    ZCDP_CHECK(add_secret(api, backend, rules, access));
    ZCDP_CHECK(add_ca(api, backend, rules, access));
    return access;
}

}  // namespace zcdp::services::backend
