// Request targets: the path-style S3 target /BUCKET/KEY?QUERY. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace zcdp::services::serve {

using Query = std::vector<std::pair<std::string, std::string>>;

struct Target {
    std::string path;    ///< decoded, with its leading '/'
    std::string bucket;  ///< decoded; empty for "/"
    std::string key;     ///< decoded; empty for the bucket itself
    Query query;         ///< decoded, in the order sent; a name without '=' has an empty value

    /// The first value of this name; null when it is not there.
    const std::string* find(std::string_view name) const;
};

/// Origin form, or absolute form, of which the path counts (RFC 9112 3.2); nullopt for anything else and for bad
/// percent-encoding.
std::optional<Target> parse_target(std::string_view target);

}  // namespace zcdp::services::serve
