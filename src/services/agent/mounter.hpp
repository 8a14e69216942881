// Mounts and unmounts, and nothing else: no network, no credentials, so that it can become a process of its own.
// Thread rule: any thread; the kernel is the only state.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "src/services/agent/mount_table.hpp"
#include "zcdp/base/error.hpp"

namespace zcdp::services::agent {

class Mounter {
  public:
    virtual ~Mounter() = default;
    /// Shows `tree`[/`sub_path`] at `target`, which is made. The mount is read-only, nosuid and nodev before anybody
    /// can see it (open_tree(2), mount_setattr(2), move_mount(2); Linux 5.12). No component of sub_path may be a
    /// symlink. Errors: not_found (no such sub_path), failed.
    virtual Result<> bind(const std::string& tree, const std::string& sub_path, const std::string& target) = 0;
    /// Whether `target` is the root of a mount; cheap.
    virtual bool is_mount(const std::string& target) = 0;
    /// Unmounts everything at `target` and removes it; fine when nothing is there.
    virtual Result<> unbind(const std::string& target) = 0;
    virtual Result<std::vector<DataMount>> mounts() = 0;
};

/// The kernel's. Errors: failed: it is too old.
Result<std::unique_ptr<Mounter>> make_mounter();

}  // namespace zcdp::services::agent
