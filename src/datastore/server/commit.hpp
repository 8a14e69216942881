// The end of an upload: its contents become durable, its manifest a snapshot, and the key points at that.
//
// In this order, so that whenever the process is killed every key points at something whole: contents, what may be
// without a reference (keys.db), the snapshot, its pin, the key. What lies between the last two for good is an orphan,
// which upkeep takes away.
//
// Thread rule: one thread at a time; it blocks.
#pragma once

#include <optional>

#include "src/datastore/server/answered.hpp"
#include "src/datastore/server/parts.hpp"
#include "src/datastore/server/upload.hpp"

namespace zcdp::datastore {

class Commit {
  public:
    static constexpr uint64_t kManifestBytesMax = uint64_t{8} << 30;  ///< as it is sent

    /// `ttl_s`: 0: for ever.
    Commit(Parts& parts, Upload& upload, uint64_t ttl_s) : parts_(parts), upload_(upload), ttl_s_(ttl_s) {}

    /// `manifest`: a file that has it; none: the snapshot that was present. The answer of an earlier one when there was
    /// one. Refused: what is missing or has another digest (409), what the key is not any more (412), a quota, a
    /// manifest that is none or not the one that was announced.
    Answered<Committed> run(const std::optional<Fd>& manifest);

  private:
    struct Checked {
        store::SnapshotId id;
        store::ManifestTotals totals;
    };
    Answered<Committed> commit(const std::optional<Fd>& manifest);
    Answered<store::SnapshotId> present();
    Answered<Checked> check(const Fd& manifest);
    Answered<> check_file(const store::ManifestEntry& entry);
    Answered<> check_kind(const store::ManifestEntry& entry, uint64_t number) const;
    Answered<store::SnapshotInfo> build(const Fd& manifest, const store::SnapshotId& id);
    Answered<> add_entries(const Fd& manifest, store::SnapshotBuilder& builder);
    Answered<> check_kind_of(const store::SnapshotId& id);
    Answered<Committed> point_at(const store::SnapshotInfo& snapshot);
    Error missing(const std::string& path) const;

    Parts& parts_;
    Upload& upload_;
    const uint64_t ttl_s_;
};

}  // namespace zcdp::datastore
