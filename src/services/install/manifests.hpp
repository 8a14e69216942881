// The manifests that the executable carries. Pure.
#pragma once

#include <string>
#include <vector>

#include "zcdp/kube/api.hpp"
#include "zcdp/services/install.hpp"

namespace zcdp::services {

/// The documents as JSON objects, in order. Quoted YAML scalars stay text. Errors: a bug of ours.
Result<std::vector<kube::json::object>> manifest_objects(const InstallOptions& options);

/// Where a manifest's kind lives in the API; null for a kind that no manifest has.
const kube::Resource* resource_of(const kube::json::object& object);

}  // namespace zcdp::services
