// Snapshots: making, finding, pinning and reading them. Thread rule: any thread; a SnapshotBuilder belongs to one.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "zcdp/base/error.hpp"
#include "zcdp/base/ids.hpp"
#include "zcdp/store/manifest.hpp"

namespace zcdp::store {

enum class SnapshotState : uint8_t { ready = 1, evicting = 2, corrupt = 3 };

struct SnapshotInfo {
    SnapshotId id;
    SnapshotState state = SnapshotState::ready;
    std::string name;   ///< where it came from, as the user wrote it: "s3://models/llama-3/"
    Revision revision;  ///< of the listing it was made from last
    bool pinned = false;
    uint64_t files = 0, directories = 0, symlinks = 0, bytes = 0;
    int64_t created_unix_s = 0, last_use_unix_s = 0;
    std::string tree_path;  ///< absolute
    uint32_t leases = 0;
};

/// A tree in the making: entries in manifest order; every file's blob must be in the CAS. One thread.
class SnapshotBuilder {
  public:
    virtual ~SnapshotBuilder() = default;
    /// For files only path, executable, size and digest are read; chunk digests come from the store.
    virtual Result<> add(const ManifestEntry& entry) = 0;
    /// Manifest, barrier, rename to snapshots/ID, index. If the snapshot was here already the staging tree is dropped.
    virtual Result<SnapshotInfo> commit(const std::string& name, const Revision& revision) = 0;
};

class Snapshots {
  public:
    virtual ~Snapshots() = default;

    /// For StoreMode::write.
    virtual Result<std::unique_ptr<SnapshotBuilder>> build_snapshot() = 0;
    virtual Result<std::vector<SnapshotInfo>> list() = 0;
    /// By full id, unambiguous id prefix (at least 4 hex digits), or name (the newest with it). not_found, refused
    /// (ambiguous).
    virtual Result<SnapshotInfo> find(const std::string& id_or_name) = 0;
    /// The same by its whole id, without a look at the others; it says nothing of leases. not_found.
    virtual Result<SnapshotInfo> get(const SnapshotId& id) = 0;
    virtual Result<> touch(const SnapshotId& id) = 0;
    virtual Result<> pin(const SnapshotId& id, bool pinned) = 0;
    /// Opens a snapshot's manifest for reading.
    virtual Result<std::unique_ptr<ManifestReader>> manifest(const SnapshotId& id) = 0;
    /// The same as the file that it is, for ManifestReader::create(). It stays readable, whatever is evicted.
    virtual Result<Fd> manifest_file(const SnapshotId& id) = 0;
};

}  // namespace zcdp::store
