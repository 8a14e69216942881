// What is mounted, read from /proc/self/mountinfo (proc_pid_mountinfo(5)). Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "zcdp/store/manifest.hpp"

namespace zcdp::services::agent {

/// A dataset's mount at a pod's volume.
struct DataMount {
    std::string target;
    store::SnapshotId snapshot;
    std::string sub_path;  ///< below the tree; "" is all of it
    std::string pod_uid;   ///< "" when the target is no volume of a pod
    bool read_only = false;
};

/// The mounts whose source is .../snapshots/ID/tree[/SUBPATH], whatever is above it. A target that was mounted over
/// several times appears as often, the visible one last.
std::vector<DataMount> data_mounts(std::string_view mountinfo);

/// /var/lib/kubelet/pods/UID/volumes/kubernetes.io~csi/NAME/mount -> UID; "" when it is no such path.
std::string pod_uid_of(std::string_view target);

}  // namespace zcdp::services::agent
