#include "src/services/cluster/backend_source.hpp"

#include "zcdp/base/percent.hpp"

namespace zcdp::services {
namespace {

/// All that comes before the prefix; "" for a type that there is not.
std::string root_of(const api::StorageBackendSpec& spec) {
    if (spec.type == "s3" || spec.type == "oss") return spec.type + "://" + spec.bucket + "/";
    if (spec.type == "gcs") return "gs://" + spec.bucket + "/";
    if (spec.type == "azure") return "az://" + spec.account + "/" + spec.bucket + "/";
    if (spec.type == "hf") return "hf://";  // the prefix begins with the repository
    if (spec.type == "http") return spec.endpoint + (spec.endpoint.ends_with('/') ? "" : "/");
    return "";
}

}  // namespace

Result<std::string> source_of(const api::StorageBackend& backend, const std::string& prefix) {
    const std::string root = root_of(backend.spec);
    if (root.empty()) return Error(ErrorKind::usage, "type " + printable(backend.spec.type) + " is not known", "StorageBackend " + backend.metadata.name);
    return root + (backend.spec.type == "http" ? uri_encode(prefix, true) : prefix);
}

std::optional<std::string> prefix_of_uri(const api::StorageBackendSpec& spec, const std::string& uri) {
    const std::string root = root_of(spec);
    if (root.empty() || !(uri + "/").starts_with(root)) return std::nullopt;
    std::string prefix = uri.substr(std::min(root.size(), uri.size()));
    if (spec.type == "http") {
        // A file, a list of digests, or a folder that ends in a slash; a query may hold a secret.
        if (prefix.find_first_of("?#") != std::string::npos || !percent_decode(prefix, false)) return std::nullopt;
        return prefix;
    }
    if (!prefix.empty() && prefix.back() != '/') prefix += '/';
    return prefix;
}

}  // namespace zcdp::services
