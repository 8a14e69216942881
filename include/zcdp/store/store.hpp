// The store on disk (docs/design.md section 4, docs/formats.md): content-addressed blobs, snapshots made of hard links
// into them, and an index that can be lost.
//
// One writer per ROOT (StoreMode::write takes the lock); any number of readers. All calls block: call them on a pool.
// Thread rule: Store is safe from any thread (one mutex around the index; file work is outside it). Incoming,
// PartialFile and SnapshotBuilder say their own.
// Promise: nothing is visible that was not verified and made durable; after kill -9 or power loss at any instant,
// open() brings back a store in which every Ready snapshot is whole.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "zcdp/base/clock.hpp"
#include "zcdp/base/digest.hpp"
#include "zcdp/base/error.hpp"
#include "zcdp/base/fs.hpp"
#include "zcdp/base/log.hpp"
#include "zcdp/base/metrics.hpp"
#include "zcdp/base/random.hpp"
#include "zcdp/store/manifest.hpp"

namespace zcdp::store {

enum class StoreMode { read, write };

struct StoreOptions {
    std::string root;
    StoreMode mode = StoreMode::write;
    uint64_t lock_timeout_ms = 10'000;
    std::string holder;                    ///< written into the lock for whoever waits: "zcdp sync, pid 123"
    std::string socket = {};               ///< into the lock as well: where the holder takes orders for this store
    unsigned high_watermark_percent = 95;  ///< eviction starts here, see design.md section 4
    unsigned low_watermark_percent = 90;
    /// auto: syncfs when ROOT is a mount point of its own, else fsync of each file.
    enum class Barrier { automatic, syncfs, fsync } barrier = Barrier::automatic;
};

/// A blob as a caller names it.
struct BlobRef {
    Digest digest;
    uint64_t size_bytes = 0;
    bool executable = false;
};

/// An origin object whose bytes are in the store: what makes "second sync fetches nothing" true.
struct TagRow {
    std::string key;  ///< full key in the bucket (prefix + path)
    std::string tag;
    uint64_t size_bytes = 0;
    Digest digest;
    std::string sum = {};  ///< put_tags and commit: what the origin states of the content, if that tells contents apart
};

/// Names an origin in the index; equal fields, equal id.
struct TagScope {
    std::string endpoint, bucket, credentials;
};

enum class SnapshotState : uint8_t { ready = 1, evicting = 2, corrupt = 3 };

struct SnapshotInfo {
    SnapshotId id;
    SnapshotState state = SnapshotState::ready;
    std::string name;      ///< where it came from, as the user wrote it: "s3://models/llama-3/"
    std::string revision;  ///< hex; of the listing it was made from last
    bool pinned = false;
    uint64_t files = 0, directories = 0, symlinks = 0, bytes = 0;
    int64_t created_unix_s = 0, last_use_unix_s = 0;
    std::string tree_path;  ///< absolute
    uint32_t leases = 0;
};

/// What one sync counts on while it runs: the blobs and partial files that it asked for stay, and the room that it was
/// promised is its own until it is used. All of it is let go with the last pointer.
class Hold {
  public:
    virtual ~Hold() = default;
};

/// A file being filled by chunks, in any order, from any number of threads; survives kill -9 at chunk granularity.
/// Chunks that an earlier run left are re-hashed by open_partial before has() says so.
class PartialFile {
  public:
    virtual ~PartialFile() = default;
    virtual uint64_t size_bytes() const = 0;
    virtual bool has(uint64_t chunk) const = 0;
    virtual uint64_t chunks_present() const = 0;
    /// Writes at `offset_bytes`, which is a multiple of 1 MiB, from a buffer aligned to 4096; length a multiple of 4096
    /// or reaching the file's end (then the buffer must be readable up to the next multiple of 4096). Any thread.
    virtual Result<> write(uint64_t offset_bytes, std::span<const std::byte> bytes) = 0;
    /// The chunk is wholly written and has this digest. Any thread.
    virtual Result<> chunk_done(uint64_t chunk, const Sha256Bytes& digest) = 0;
    /// Reads back from a chunk that is there. Any thread.
    virtual Result<> read(uint64_t offset_bytes, std::span<std::byte> into) = 0;
    /// The digest of the whole; every chunk must be there. One thread.
    virtual Result<Digest> finish() = 0;
    /// Forgets the file and all its chunks: the next open_partial begins anew. Nothing else is called after it.
    virtual Result<> discard() = 0;
};

/// Bytes on their way into the CAS. One per sync; any thread may stage, commit is called by one thread at a time.
class Incoming {
  public:
    virtual ~Incoming() = default;

    /// Writes a verified content of at most one chunk to a partial file (not durable yet). Nothing is written when the
    /// blob is here or already staged.
    virtual Result<> stage(const BlobRef& blob, std::span<const std::byte> content) = 0;

    /// The partial file of (scope, key, tag, size), resumed if there is one.
    virtual Result<std::unique_ptr<PartialFile>> open_partial(const TagScope& scope, const std::string& key,
                                                              const std::string& tag, uint64_t size_bytes) = 0;
    /// Hands a finished partial file over to the next commit.
    virtual Result<> stage_partial(std::unique_ptr<PartialFile> file, const BlobRef& blob) = 0;

    /// Durability barrier over all that was staged, rename into the CAS, fsync of the folders touched, then one index
    /// transaction with the blobs and these tags. When it returns, they survive power loss.
    virtual Result<> commit(const TagScope& scope, std::span<const TagRow> tags) = 0;

    /// Files and bytes staged since the last commit.
    virtual uint64_t staged_files() const = 0;
    virtual uint64_t staged_bytes() const = 0;
};

/// A tree in the making: entries in manifest order; every file's blob must be in the CAS. One thread.
class SnapshotBuilder {
  public:
    virtual ~SnapshotBuilder() = default;
    /// For files only path, executable, size and digest are read; chunk digests come from the store.
    virtual Result<> add(const ManifestEntry& entry) = 0;
    /// Manifest, barrier, rename to snapshots/ID, index. If the snapshot was here already the staging tree is dropped.
    virtual Result<SnapshotInfo> commit(const std::string& name, const std::string& revision) = 0;
};

/// What keeps a snapshot from eviction.
struct LeaseInfo {
    uint64_t id = 0;
    SnapshotId snapshot;
    std::string owner;
};

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

class Store {
  public:
    virtual ~Store() = default;

    /// Errors: busy (lock, names its holder), refused (a newer format), denied, no_space, corrupt.
    static Result<std::unique_ptr<Store>> open(StoreOptions options, Fs& fs, Clock& clock, Random& random, Logger& log,
                                               Metrics& metrics);
    virtual const std::string& root() const = 0;
    /// What recovery did at open, one line each; empty after a clean stop.
    virtual const std::vector<std::string>& recovery_notes() const = 0;

    // --- writing (StoreMode::write) ---
    /// Holds nothing yet.
    virtual std::shared_ptr<Hold> hold() = 0;
    /// As has_blob(); the blob stays while `hold` is there.
    virtual bool hold_blob(Hold& hold, const BlobRef& blob) = 0;
    /// What the partial file of (scope, key, tag, size) has of its room already, 0 when there is none; it stays while
    /// `hold` is there.
    virtual uint64_t hold_partial(Hold& hold, const TagScope& scope, const std::string& key, const std::string& tag,
                                  uint64_t size_bytes) = 0;
    /// Room for this many more bytes and files, added to what `hold` (or a new one) was promised. Makes room where that
    /// is needed: partial files that nobody fills and blobs that nobody needs, then unpinned, unleased snapshots, each
    /// the least recently used first. no_space says needed, free and evictable, and who has the room.
    virtual Result<std::shared_ptr<Hold>> reserve(uint64_t bytes, uint64_t files, std::shared_ptr<Hold> hold = {}) = 0;
    /// What it writes is taken off the room that `hold` was promised, and stays while `hold` is there.
    virtual Result<std::unique_ptr<Incoming>> incoming(std::shared_ptr<Hold> hold = {}) = 0;
    virtual Result<std::unique_ptr<SnapshotBuilder>> build_snapshot() = 0;
    /// A known blob: in the index and on disk.
    virtual bool has_blob(const BlobRef& blob) = 0;

    // --- what origins said before ---
    /// Calls back for every row of `scope` with key >= `from` and starting with `prefix`, in raw byte order of keys,
    /// until the callback returns false. Streams; constant memory. The callback must not call the store.
    virtual Result<> for_each_tag(const TagScope& scope, const std::string& prefix, const std::string& from,
                                  const std::function<bool(const TagRow&)>& row) = 0;
    /// Rows of any scope with this endpoint and bucket that had this tag and size: candidates for reuse by content.
    virtual Result<std::vector<TagRow>> tags_like(const TagScope& scope, const std::string& tag,
                                                  uint64_t size_bytes) = 0;
    /// Whether any row has this endpoint and bucket, whoever fetched it: if not, tags_like need not be asked.
    virtual Result<bool> any_tags(const TagScope& scope) = 0;
    /// Contents of this size of which this endpoint and bucket stated this sum: to the same credentials, or to anybody.
    virtual Result<std::vector<Digest>> sums_like(const TagScope& scope, const std::string& sum, uint64_t size_bytes,
                                                  bool anybodys) = 0;
    /// Whether it stated any sum of a content of this size, to whomever: if not, sums_like need not be asked.
    virtual Result<bool> any_sums(const TagScope& scope, uint64_t size_bytes) = 0;
    virtual Result<> put_tags(const TagScope& scope, std::span<const TagRow> rows) = 0;
    /// The snapshot that this listing gave before, if it is still Ready. `selection` is the include/exclude text.
    virtual Result<std::optional<SnapshotInfo>> find_revision(const TagScope& scope, const std::string& prefix,
                                                              const std::string& selection,
                                                              const std::string& revision) = 0;
    virtual Result<> put_revision(const TagScope& scope, const std::string& prefix, const std::string& selection,
                                  const std::string& revision, const SnapshotId& snapshot) = 0;

    // --- looking after snapshots ---
    virtual Result<std::vector<SnapshotInfo>> list() = 0;
    /// By full id, unambiguous id prefix (at least 4 hex digits), or name (the newest with it). not_found, refused
    /// (ambiguous).
    virtual Result<SnapshotInfo> find(const std::string& id_or_name) = 0;
    virtual Result<> touch(const SnapshotId& id) = 0;
    virtual Result<> pin(const SnapshotId& id, bool pinned) = 0;
    /// A lease keeps a snapshot from eviction until it is released or, if `owner_pid` != 0, until that process is gone.
    virtual Result<uint64_t> lease(const SnapshotId& id, const std::string& owner, int64_t owner_pid) = 0;
    virtual Result<> release(uint64_t lease) = 0;
    /// The live ones. Leases survive kill -9; a power loss may take the last ones, and takes the mounts with them.
    virtual Result<std::vector<LeaseInfo>> leases() = 0;
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
    virtual Result<RoomReport> room() = 0;
    /// Opens a snapshot's manifest for reading.
    virtual Result<std::unique_ptr<ManifestReader>> manifest(const SnapshotId& id) = 0;
    /// Opens a blob's bytes.
    virtual Result<Fd> open_blob(const Digest& digest) = 0;
};

}  // namespace zcdp::store
