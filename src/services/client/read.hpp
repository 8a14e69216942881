// Reading typed objects from a command: once, with errors that a person understands.
#pragma once

#include <string>
#include <vector>

#include "zcdp/api/core.hpp"
#include "zcdp/api/names.hpp"
#include "zcdp/api/types.hpp"
#include "zcdp/kube/api.hpp"

namespace zcdp::services {

/// not_found for a kind of ours means that zcdp is not installed.
inline Error read_error(const kube::ApiError& error, const kube::Resource& resource, const std::string& name) {
    const bool ours = std::string_view(resource.group) == api::kGroup;
    if (error.kind() == kube::ApiErrorKind::not_found && ours && name.empty())
        return Error(ErrorKind::not_found, "is not installed in this cluster", "zcdp", "zcdp install");
    if (error.kind() == kube::ApiErrorKind::not_found)
        return Error(ErrorKind::not_found, "is not there", std::string(resource.kind) + " " + name);
    return error.to_error();
}

template <class T>
Result<std::vector<T>> read_all(kube::Api& api, const kube::Resource& resource, const std::string& ns = {}) {
    std::vector<T> out;
    kube::ListOptions options;
    options.ns = ns;
    auto listed = api.list(resource, options, [&](kube::json::object&& object) {
        if (auto parsed = api::from_json<T>(kube::json::value(std::move(object)))) out.push_back(std::move(*parsed));
    });
    if (!listed) return read_error(listed.error(), resource, "");
    return out;
}

template <class T>
Result<T> read_one(kube::Api& api, const kube::Resource& resource, const std::string& ns, const std::string& name) {
    auto object = api.get(resource, ns, name);
    if (!object) return read_error(object.error(), resource, ns.empty() ? name : ns + "/" + name);
    return api::from_json<T>(kube::json::value(std::move(*object)));
}

}  // namespace zcdp::services
