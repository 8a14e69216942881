// Mounts inside a claim's mount. A dataset is read-only, so the container runtime cannot make the place for a mount
// below it: the container starts only where the dataset has a folder there ("mkdir …: read-only file system" otherwise,
// for ever). The webhook sees the mounts, the node has the folders: the former tells the latter in a volume attribute.
// Pure.
#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <vector>

#include "zcdp/api/names.hpp"

namespace zcdp::services::backend {

struct NestedMount {
    std::string container, path;  ///< "/data/cache"
    std::string volume;  ///< mounted there; "" for what Kubernetes mounts itself (/etc/hosts, the termination log)
    std::string claim_volume, claim, claim_path;  ///< around it: "/data"
    std::string folder;                           ///< that the volume must have: "cache"
    bool directory = true;                        ///< it must be one; else a file does as well
    /// "container c mounts volume scratch at /data/cache, inside the read-only /data of claim llama"
    std::string line() const;
    /// What to do about it.
    std::string remedy() const;
};

/// In the order of containers; a mount counts only if the closest mount around it is a claim's.
std::vector<NestedMount> nested_mounts(const boost::json::object& pod);

/// What a volume is told about the mounts inside of it, for its attribute `below`, and back. Text that is none of ours
/// has none.
std::string below_attribute(const std::vector<NestedMount>& mounts, const std::string& claim_volume);
std::vector<NestedMount> read_below(const std::string& attribute);

}  // namespace zcdp::services::backend
