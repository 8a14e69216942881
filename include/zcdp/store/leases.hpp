// Leases: what keeps a snapshot from eviction while it is mounted. Thread rule: any thread; nobody waits for an
// eviction.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "zcdp/base/error.hpp"
#include "zcdp/store/manifest.hpp"

namespace zcdp::store {

/// What keeps a snapshot from eviction.
struct LeaseInfo {
    uint64_t id = 0;
    SnapshotId snapshot;
    std::string owner;
};

class Leases {
  public:
    virtual ~Leases() = default;

    /// A lease keeps a snapshot from eviction until it is released or, if `owner_pid` != 0, until that process is gone.
    virtual Result<uint64_t> lease(const SnapshotId& id, const std::string& owner, int64_t owner_pid) = 0;
    virtual Result<> release(uint64_t lease) = 0;
    /// The live ones. Leases survive kill -9; a power loss may take the last ones, and takes the mounts with them.
    virtual Result<std::vector<LeaseInfo>> leases() = 0;
};

}  // namespace zcdp::store
