// What a StorageBackend and a Dataset's source name, as the SOURCE that the origin layer takes, and back. Pure.
#pragma once

#include <optional>
#include <string>

#include "zcdp/api/types.hpp"

namespace zcdp::services::backend {

/// s3://, gs://, az://, oss://, hf:// or http[s]:// for `prefix` of the backend. Errors: usage (the spec).
Result<std::string> source_of(const api::StorageBackend& backend, const std::string& prefix);

/// Where below a backend a Dataset's source is, with its version's folder; nullopt when its uri names something else
/// than this backend. Empty or ending in '/' it is a folder; a uri's may name one object instead, and goes through
/// source_of() as it is.
std::optional<std::string> prefix_of(const api::StorageBackendSpec& backend, const api::DatasetSource& source);
/// What no backend takes, whatever it is for: a path that could lead out of a bucket where something on the way
/// resolves it, a folder below a single object. Errors: usage.
Result<> check_uri(const api::DatasetSource& source);

}  // namespace zcdp::services::backend
