// An open store: see zcdp/store/store.hpp. Opening and recovery are in open_store.cpp and recovery.cpp, what makes room
// in evict.cpp, what looks at every byte in verify.cpp.
#pragma once

#include "src/store/core.hpp"
#include "src/store/lock.hpp"
#include "zcdp/store/store.hpp"

namespace zcdp::store {

class OpenStore final : public Store {
  public:
    OpenStore(StoreOptions options, Fs& fs, Clock& clock, Random& random, Logger& log, Metrics& metrics)
        : options_(std::move(options)), core_(fs, clock, random, log, metrics) {}
    ~OpenStore() override;
    Result<> open();

    const std::string& root() const override { return core_.root; }
    const std::vector<std::string>& recovery_notes() const override { return notes_; }

    std::shared_ptr<Hold> hold() override { return std::make_shared<HoldOnStore>(core_.holds); }
    bool hold_blob(Hold& hold, const BlobRef& blob) override;
    uint64_t hold_partial(Hold& hold, const PartialKey& key, uint64_t size_bytes) override;
    Result<std::shared_ptr<Hold>> reserve(uint64_t bytes, uint64_t files, std::shared_ptr<Hold> hold) override;
    Result<std::unique_ptr<Incoming>> incoming(std::shared_ptr<Hold> hold) override;
    Result<std::unique_ptr<SnapshotBuilder>> build_snapshot() override;
    bool has_blob(const BlobRef& blob) override;

    Result<> for_each_tag(const TagScope& scope, const std::string& prefix, const std::string& from,
                          const std::function<bool(const TagRow&)>& row) override;
    Result<std::vector<TagRow>> tags_like(const TagScope& scope, const Tag& tag, uint64_t size_bytes) override;
    Result<bool> any_tags(const TagScope& scope) override;
    Result<std::vector<Digest>> sums_like(const TagScope& scope, const std::string& sum, uint64_t size_bytes,
                                          bool anybodys) override;
    Result<bool> any_sums(const TagScope& scope, uint64_t size_bytes) override;
    Result<> put_tags(const TagScope& scope, std::span<const TagRow> rows) override;
    Result<> forget(const TagScope& scope, const std::string& prefix) override;
    Result<std::optional<SnapshotInfo>> find_revision(const TagScope& scope, const std::string& prefix,
                                                      const std::string& selection, const Revision& revision) override;
    Result<> put_revision(const TagScope& scope, const std::string& prefix, const std::string& selection,
                          const Revision& revision, const SnapshotId& snapshot) override;

    Result<std::vector<SnapshotInfo>> list() override;
    Result<SnapshotInfo> find(const std::string& id_or_name) override;
    Result<SnapshotInfo> get(const SnapshotId& id) override;
    Result<> touch(const SnapshotId& id) override;
    Result<> pin(const SnapshotId& id, bool pinned) override;
    Result<uint64_t> lease(const SnapshotId& id, const std::string& owner, int64_t owner_pid) override;
    Result<> release(uint64_t lease) override;
    Result<std::vector<LeaseInfo>> leases() override;
    Result<> evict(const SnapshotId& id) override;
    Result<uint64_t> gc(int64_t grace_s, int64_t unfinished_grace_s) override;
    Result<ScrubReport> verify(std::optional<SnapshotId> id,
                               const std::function<void(uint64_t bytes)>& progress) override;
    Result<StoreUsage> usage() override;
    Result<uint64_t> blob_bytes() override;
    Result<RoomReport> room() override;
    Result<std::unique_ptr<ManifestReader>> manifest(const SnapshotId& id) override;
    Result<Fd> manifest_file(const SnapshotId& id) override;
    Result<Fd> open_blob(const Digest& digest) override;
    Result<std::unique_ptr<ChunkSource>> open_chunks(const Digest& digest) override;

  private:
    // open_store.cpp
    Result<> open_root();
    Result<> check_format();
    Result<> open_folders();
    Result<> make_folders_durable();
    Result<> open_index();
    void choose_barrier();
    Result<> must_write() const;
    Result<std::vector<SnapshotInfo>> rows();
    Result<std::vector<Index::Lease>> live_leases();
    void complete(SnapshotInfo& info, const std::vector<Index::Lease>& leases) const;

    // recovery.cpp
    Result<> recover(bool after_crash);
    Result<> sweep_unfinished();
    Result<> match_snapshots();
    Result<> adopt(const SnapshotId& id);
    Result<> adopt_blobs(SnapshotInfo& info);
    Result<> each_file_of(SnapshotInfo& info, const std::function<Result<>(ManifestEntry&)>& each);
    void note(std::string line);

    // evict.cpp; upkeep_ is held
    Result<> evict_now(const SnapshotId& id) ZCDP_REQUIRES(upkeep_);
    Result<> mark_evicting(const SnapshotId& id) ZCDP_REQUIRES(upkeep_);
    Result<> move_aside(const SnapshotId& id, const std::string& name) ZCDP_REQUIRES(upkeep_);
    Result<> drop_unused_blobs(const std::string& removed_tree) ZCDP_REQUIRES(upkeep_);
    Result<uint64_t> sweep_blobs(int64_t older_than_unix_s) ZCDP_REQUIRES(upkeep_);
    Result<uint64_t> sweep_partials(int64_t older_than_unix_s) ZCDP_REQUIRES(upkeep_);
    Result<bool> drop_partial(const UnfinishedFile& file) ZCDP_REQUIRES(upkeep_);

    // room.cpp; make_room and evict_snapshots with upkeep_ held
    Result<FsSpace> space() const;
    Result<bool> promise_if_below(unsigned percent, uint64_t bytes, uint64_t files, HoldOnStore& hold);
    Result<uint64_t> evictable_now(bool loose_blobs);
    Result<> make_room(uint64_t bytes, bool somebody_waits) ZCDP_REQUIRES(upkeep_);
    Result<> evict_snapshots(const std::function<bool()>& enough) ZCDP_REQUIRES(upkeep_);
    Error no_room(uint64_t needed, uint64_t files, const FsSpace& space);

    // verify.cpp
    struct Scrub;
    Result<> scrub_snapshot(const SnapshotInfo& info, Scrub& scrub);
    Result<> scrub_file(const ManifestEntry& entry, const std::string& path, int tree, Scrub& scrub);
    Result<> scrub_loose_blobs(Scrub& scrub);
    Result<bool> is_there(const SnapshotId& id);
    Result<> condemn(const Digest& digest, const std::string& problem, const std::string& why, Scrub& scrub);
    Result<> put_aside(const Digest& digest, const std::string& why);
    std::vector<SnapshotInfo> those_that_need(const Digest& digest, std::span<const SnapshotInfo> all);
    Result<> mark_corrupt(const Digest& digest, std::span<const SnapshotInfo> snapshots);

    StoreOptions options_;
    Core core_;
    Lock lock_;
    bool writable_ = false;
    Mutex upkeep_;      ///< of whoever takes something away: evict, gc, condemn. Held over their file work
    Mutex room_mutex_;  ///< from the look at the free space to the promise
    std::vector<std::string> notes_;
};

}  // namespace zcdp::store
