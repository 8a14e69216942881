// The index: what the store knows without reading a tree (docs/formats.md "Index"). Everything in it but leases, last
// use, tags, sums and revisions can be made again from snapshots/.
//
// Thread rule: the store's mutex is held by the caller.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "zcdp/base/sqlite.hpp"
#include "zcdp/store/snapshots.hpp"
#include "zcdp/store/tags.hpp"

namespace zcdp::store {

class Index {
  public:
    /// Opens or makes index.db. Errors: corrupt; refused (a newer schema).
    static Result<std::unique_ptr<Index>> open(const std::string& path, bool writable);
    /// PRAGMA quick_check: corrupt unless it says ok.
    Result<> check();

    /// Commits of this scope survive kill -9 but perhaps not power loss, and cost no flush: for leases and last use,
    /// which mean nothing once the mounts are gone, too.
    class Relaxed {
      public:
        explicit Relaxed(Index& index) : index_(index) {
            (void)index_.db_.execute("PRAGMA synchronous = NORMAL").has_value();
        }
        ~Relaxed() { (void)index_.db_.execute("PRAGMA synchronous = FULL").has_value(); }
        Relaxed(const Relaxed&) = delete;
        Relaxed& operator=(const Relaxed&) = delete;

      private:
        Index& index_;
    };

    Result<sqlite::Transaction> transaction() { return sqlite::Transaction::begin(db_); }

    // Blobs. `chunks` of more than one chunk, else empty.
    Result<> put_blob(const Digest& digest, uint64_t size_bytes, std::span<const Sha256Bytes> chunks);
    struct Blob {
        uint64_t size_bytes = 0;
        std::vector<Sha256Bytes> chunks;
    };
    Result<std::optional<Blob>> blob(const Digest& digest);
    Result<bool> has_blob(const Digest& digest, uint64_t size_bytes);
    Result<> drop_blob(const Digest& digest);

    // Origins and tags.
    Result<int64_t> origin_id(const TagScope& scope);
    Result<std::optional<int64_t>> find_origin(const TagScope& scope);
    Result<> put_tag(int64_t origin, const TagRow& row);  ///< and its sum, if it has one
    Result<> for_each_tag(int64_t origin, const std::string& prefix, const std::string& from,
                          const std::function<bool(const TagRow&)>& row);
    Result<> drop_tag(int64_t origin, const std::string& key);
    Result<> drop_revisions(int64_t origin, const std::string& prefix);
    Result<std::vector<TagRow>> tags_like(const TagScope& scope, const Tag& tag, uint64_t size_bytes);
    Result<bool> any_tags(const TagScope& scope);
    Result<std::vector<Digest>> sums_like(const TagScope& scope, const std::string& sum, uint64_t size_bytes,
                                          bool anybodys);
    Result<bool> any_sums(const TagScope& scope, uint64_t size_bytes);
    Result<std::optional<SnapshotId>> find_revision(int64_t origin, const std::string& prefix,
                                                    const std::string& selection, const Revision& revision);
    Result<> put_revision(int64_t origin, const std::string& prefix, const std::string& selection,
                          const Revision& revision, const SnapshotId& snapshot);

    // Snapshots.
    Result<> put_snapshot(const SnapshotInfo& info);
    Result<> drop_snapshot(const SnapshotId& id);
    Result<std::optional<SnapshotInfo>> snapshot(const SnapshotId& id);
    Result<std::vector<SnapshotInfo>> snapshots();
    /// One that is being evicted stays so.
    Result<> set_state(const SnapshotId& id, SnapshotState state);
    Result<> set_pinned(const SnapshotId& id, bool pinned);
    Result<> set_last_use(const SnapshotId& id, int64_t unix_s);

    // Leases.
    struct Lease {
        int64_t id;
        SnapshotId snapshot;
        std::string owner;
        int64_t pid, pid_started;
    };
    Result<int64_t> add_lease(const SnapshotId& id, const std::string& owner, int64_t pid, int64_t pid_started,
                              int64_t now_unix_s);
    Result<> drop_lease(int64_t lease);
    Result<std::vector<Lease>> leases();

    struct Usage {
        uint64_t blobs = 0, bytes = 0;
    };
    Result<Usage> usage();

  private:
    Index() = default;
    Result<> prepare();
    bool has_sums();
    Result<> prepare_sums();
    Result<int64_t> version();
    sqlite::Database db_;
    sqlite::Statement put_blob_, get_blob_, has_blob_, drop_blob_, put_origin_, get_origin_, put_tag_, drop_tag_,
        tags_from_, drop_revisions_, tags_like_, any_tags_, get_revision_, put_revision_, put_snapshot_, get_snapshot_,
        drop_snapshot_, set_state_, set_pinned_, set_last_use_, add_lease_, drop_lease_, put_sum_, sums_like_,
        any_sums_;
    bool sums_ = false;  ///< an older index that is only read has none
};

}  // namespace zcdp::store
