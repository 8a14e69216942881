// From a StorageBackend and its Secret to what the origin layer needs. Shared by controller and agent: both apply the
// same rules to who may read from where.
#pragma once

#include <string>
#include <vector>

#include "zcdp/api/names.hpp"
#include "zcdp/kube/api.hpp"
#include "zcdp/origin/options.hpp"

namespace zcdp::services::backend {

/// How to read a backend's bucket.
struct BackendAccess {
    origin::OriginOptions options;
    std::string source;  ///< s3://BUCKET/PREFIX/ and the like
};

struct AccessRules {
    std::string system_namespace = api::kSystemNamespace;
    /// Pods, services and nodes of the cluster: an endpoint there is refused unless the backend allows it.
    std::vector<std::string> cluster_ranges;
};

/// Whether Datasets of `ns` may use the backend.
bool namespace_allowed(const api::StorageBackendSpec& backend, const std::string& ns);

/// Reads the backend's Secret and CA bundle. `prefix` is the folder in the bucket. Errors: usage (the spec), not_found
/// or denied (the Secret, naming it), those of the API.
Result<BackendAccess> backend_access(kube::Api& api, const api::StorageBackend& backend, const std::string& prefix,
                                     const AccessRules& rules);

/// Pure: the options without what Secrets hold.
Result<BackendAccess> plain_access(const api::StorageBackend& backend, const std::string& prefix,
                                   const AccessRules& rules);

/// The decoded value of a Secret's key; "" when it is not there.
std::string secret_value(const kube::json::object& secret, const char* key);

}  // namespace zcdp::services::backend
