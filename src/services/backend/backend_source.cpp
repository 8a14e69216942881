#include "src/services/backend/backend_source.hpp"

#include <algorithm>

#include "zcdp/base/percent.hpp"

namespace zcdp::services::backend {
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

/// As the origin layer takes it: of s3 what follows the last '?' is a query if it has a '=' and no '/'.
bool has_query(const std::string& type, std::string_view uri) {
    const size_t mark = type == "s3" ? uri.rfind('?') : uri.npos;
    return mark != uri.npos && uri.find('=', mark) != uri.npos && uri.find('/', mark) == uri.npos;
}

/// A part . or .., also with a query after it.
bool has_dots(std::string_view path) {
    for (size_t begin = 0; begin <= path.size();) {
        const size_t end = std::min(path.find('/', begin), path.size());
        const std::string_view part = path.substr(begin, end - begin), name = part.substr(0, part.find('?'));
        if (name == "." || name == "..") return true;
        begin = end + 1;
    }
    return false;
}

/// With the '/' at its end that makes it a folder; the root has none.
std::string as_folder(std::string prefix) {
    if (!prefix.empty() && prefix.back() != '/') prefix += '/';
    return prefix;
}

/// The prefix below the backend, when the backend is what the URI names.
std::optional<std::string> prefix_of_uri(const api::StorageBackendSpec& spec, const std::string& uri) {
    const std::string root = root_of(spec);
    if (root.empty() || !(uri + "/").starts_with(root)) return std::nullopt;
    std::string prefix = uri.substr(std::min(root.size(), uri.size()));
    // A file, a list of digests, or a folder that ends in a slash; a query may hold a secret.
    if (spec.type == "http" && (prefix.find_first_of("?#") != std::string::npos || !percent_decode(prefix, false)))
        return std::nullopt;
    return spec.type == "hf" ? as_folder(std::move(prefix)) : prefix;
}

/// As a folder. A hub's repository without an ORG takes one only behind its revision: NAME/FOLDER would be ORG/NAME.
std::string folder_of_versions(const api::StorageBackendSpec& spec, std::string prefix) {
    prefix = as_folder(std::move(prefix));
    if (spec.type != "hf") return prefix;
    const bool kind = prefix.starts_with("models/") || prefix.starts_with("datasets/");
    const size_t name = kind ? prefix.find('/') + 1 : 0, end = prefix.find('/', name);
    const bool bare = end != prefix.npos && end + 1 == prefix.size() && prefix.find('@') == prefix.npos;
    return bare ? prefix.substr(0, end) + "@main/" : prefix;
}

}  // namespace

Result<std::string> source_of(const api::StorageBackend& backend, const std::string& prefix) {
    const std::string root = root_of(backend.spec);
    if (root.empty())
        return Error(ErrorKind::usage, "type " + printable(backend.spec.type) + " is not known",
                     "StorageBackend " + backend.metadata.name);
    return root + (backend.spec.type == "http" ? uri_encode(prefix, true) : prefix);
}

std::optional<std::string> prefix_of(const api::StorageBackendSpec& spec, const api::DatasetSource& source) {
    auto prefix = source.uri.empty() ? as_folder(source.prefix) : prefix_of_uri(spec, source.uri);
    if (!prefix || source.version.empty()) return prefix;
    return folder_of_versions(spec, std::move(*prefix)) + source.version + "/";
}

Result<> check_uri(const api::DatasetSource& source) {
    std::string decoded = source.uri;
    const bool web = source.uri.starts_with("http");
    if (has_dots(source.uri) || (web && percent_decode(decoded, false) && has_dots(decoded)))
        return Error(ErrorKind::usage, "source.uri has . or .. as a part", printable(source.uri),
                     "write the folder as the bucket has it");
    if (!source.version.empty() && has_query(source.uri.substr(0, source.uri.find(':')), source.uri))
        return Error(ErrorKind::usage, "source.uri names one version of one file, below which there is no folder",
                     printable(source.uri), "leave source.version out");
    return {};
}

}  // namespace zcdp::services::backend
