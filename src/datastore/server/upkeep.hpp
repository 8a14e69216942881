// Takes away what is needed no more: idle uploads, keys whose time is over, versions that nobody reads any more, the
// snapshots that no version needs, contents that no snapshot needs.
//
// A version goes in steps: retired when its key let it go, dropped a grace after it was read last; when its snapshot
// has no version left that is unpinned, evicted and forgotten, in this order. Whatever is cut off is done at the next
// look.
//
// Thread rule: any thread; a look waits for another one. Everything blocks.
#pragma once

#include "src/datastore/server/parts.hpp"
#include "src/datastore/server/uploads.hpp"

namespace zcdp::datastore {

class Upkeep {
  public:
    Upkeep(Parts& parts, Uploads& uploads)
        : parts_(parts),
          uploads_(uploads),
          started_unix_s_(parts.now()),
          swept_ns_(parts.machine.clock.monotonic_ns()) {}

    /// Counts what there is, at the start.
    void count();
    /// Does what is due.
    void look();
    /// The same, for room: of what nobody reads, also what would be kept a while.
    void make_room();

  private:
    using Step = Result<> (Upkeep::*)();
    void try_to(Step step) ZCDP_REQUIRES(one_looks_);
    Result<> expire() ZCDP_REQUIRES(one_looks_);
    Result<> let_go() ZCDP_REQUIRES(one_looks_);
    Result<> let_go_before(int64_t before) ZCDP_REQUIRES(one_looks_);
    Result<> evict_unreferenced() ZCDP_REQUIRES(one_looks_);
    Result<> evict_before(int64_t before) ZCDP_REQUIRES(one_looks_);
    bool is_on_disk(const store::SnapshotId& id) const;
    Result<> evict(const store::SnapshotId& id) ZCDP_REQUIRES(one_looks_);
    Result<> forget_removed() ZCDP_REQUIRES(one_looks_);
    Result<> sweep() ZCDP_REQUIRES(one_looks_);
    Result<> sweep_now(int64_t grace_s) ZCDP_REQUIRES(one_looks_);
    Result<> sweep_chunk_index() ZCDP_REQUIRES(one_looks_);
    Result<> count_bytes() ZCDP_REQUIRES(one_looks_);

    Parts& parts_;
    Uploads& uploads_;
    const int64_t started_unix_s_;
    Mutex one_looks_;
    int64_t swept_ns_ ZCDP_GUARDED_BY(one_looks_);
    int64_t counted_ns_ ZCDP_GUARDED_BY(one_looks_) = 0;
};

}  // namespace zcdp::datastore
