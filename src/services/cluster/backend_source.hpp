// What a StorageBackend and a Dataset's source name, as the SOURCE that the origin layer takes, and back. Pure.
#pragma once

#include <optional>
#include <string>

#include "zcdp/api/types.hpp"

namespace zcdp::services {

/// s3://, gs://, az://, oss://, hf:// or http[s]:// for the folder `prefix` of the backend. Errors: usage (the spec).
Result<std::string> source_of(const api::StorageBackend& backend, const std::string& prefix);

/// A Dataset's source.uri against a backend: the prefix below the backend, when the backend is what the URI names.
/// Of s3 it may be an object's key with ?versionId=ID instead: it goes through source_of() as it is.
std::optional<std::string> prefix_of_uri(const api::StorageBackendSpec& backend, const std::string& uri);
/// What no backend takes, whatever it is for: a path that could lead out of a bucket where something on the way resolves it, a
/// folder below a single object. Errors: usage.
Result<> check_uri(const api::DatasetSource& source);

}  // namespace zcdp::services
