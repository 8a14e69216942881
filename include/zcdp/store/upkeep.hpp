// Looking after the store: who has its room, what goes, and whether the bytes are still what they were.
//
// Thread rule: any thread. evict, gc and what a scrub puts aside follow one another; nobody else waits for them.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "zcdp/base/error.hpp"
#include "zcdp/base/fs.hpp"
#include "zcdp/store/manifest.hpp"

namespace zcdp::store {

struct StoreUsage {
    uint64_t blobs = 0, blob_bytes = 0, snapshots = 0, snapshot_bytes = 0;
    uint64_t partial_bytes = 0, quarantined = 0;
    uint64_t evictable_bytes = 0;  ///< snapshots that nobody pinned or uses, and partial files that nobody fills
    FsSpace space;
};

/// What a download that has not ended left, or is about to leave, in partial/.
struct UnfinishedFile {
    std::string name;    ///< below partial/
    std::string object;  ///< of which origin; "" where that was not written down
    uint64_t bytes = 0;  ///< on the disk
    int64_t last_write_unix_s = 0;
    bool running = false;  ///< a sync of this process needs it
};

/// Who has the room of the store's disk. Reads every folder of cas/.
struct RoomReport {
    StoreUsage usage;
    uint64_t pinned_bytes = 0, leased_bytes = 0;     ///< of the snapshots'; leased ones that are pinned count as pinned
    uint64_t loose_bytes = 0;                        ///< of blobs that no snapshot needs
    std::vector<UnfinishedFile> unfinished;          ///< least recently written first
    uint64_t quarantine_bytes = 0, other_bytes = 0;  ///< others: what is on the disk and not the store's
    uint64_t evictable_bytes = 0;                    ///< the usage's, and the loose blobs that no sync counts on

    /// "2 snapshots 40 MiB (pinned 10 MiB), …": who has room, in one line; those who have none are left out.
    std::string line(int64_t now_unix_s) const;
};

struct ScrubReport {
    uint64_t files = 0, bytes = 0;
    std::vector<std::string> problems;  ///< one line each, what was quarantined and which snapshots need it
};

class Upkeep {
  public:
    virtual ~Upkeep() = default;

    /// busy when pinned or leased.
    virtual Result<> evict(const SnapshotId& id) = 0;
    /// Deletes blobs that no snapshot needs (older than `grace_s`) and partial files (older than `unfinished_grace_s`),
    /// but none that a running sync holds; bytes freed.
    virtual Result<uint64_t> gc(int64_t grace_s, int64_t unfinished_grace_s = 0) = 0;
    /// Re-reads and re-hashes one snapshot, or everything; what is wrong goes to quarantine and its snapshots turn
    /// corrupt.
    virtual Result<ScrubReport> verify(std::optional<SnapshotId> id,
                                       const std::function<void(uint64_t bytes)>& progress) = 0;
    virtual Result<StoreUsage> usage() = 0;
    /// The usage's alone, without a look at the snapshots.
    virtual Result<uint64_t> blob_bytes() = 0;
    virtual Result<RoomReport> room() = 0;
};

}  // namespace zcdp::store
