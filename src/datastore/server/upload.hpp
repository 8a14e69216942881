// One upload: what it may bring, what it has brought, and where that lies until its commit. In memory; a restart
// forgets it, and keeps the chunks of its long files.
//
// Thread rule: any thread. What stages or commits blocks, and so does its end.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "src/datastore/server/long_contents.hpp"
#include "src/datastore/server/quota.hpp"
#include "src/datastore/server/snapshots_in_use.hpp"
#include "zcdp/base/guarded.hpp"
#include "zcdp/datastore/wire.hpp"
#include "zcdp/store/ingest.hpp"

namespace zcdp::datastore {

/// So many bytes, in so many files.
struct Room {
    uint64_t bytes = 0, files = 0;
};

class Upload {
  public:
    Upload(std::string its_id, std::string its_key, UploadIntent its_intent, std::shared_ptr<store::Hold> its_hold,
           std::unique_ptr<store::Incoming> its_incoming, Quota& quota)
        : id(std::move(its_id)),
          key(std::move(its_key)),
          intent(std::move(its_intent)),
          hold(std::move(its_hold)),
          incoming(std::move(its_incoming)),
          quota_(quota) {}
    ~Upload();
    Upload(const Upload&) = delete;
    Upload& operator=(const Upload&) = delete;

    const std::string id, key;
    const UploadIntent intent;
    const std::shared_ptr<store::Hold> hold;
    const std::unique_ptr<store::Incoming> incoming;

    /// What is missing is announced: of what was not announced before, and within what the upload began with, so much
    /// room has to be reserved; reserved() says that it is.
    Room to_reserve(const Room& missing) const;
    void reserved(const Room& room);
    /// A content takes its room; false when more comes than was announced.
    bool take_room(uint64_t bytes);

    std::shared_ptr<LongContent> find_long(const Digest& digest) const;
    void keep_long(const std::shared_ptr<LongContent>& content);
    /// Whether this short content is the first of its kind since the last commit of what was staged.
    bool is_new(const Digest& digest);
    /// Makes what was staged part of the store, when that is much or `all` is wanted. One at a time. After an error
    /// nobody knows what of it is there: the upload is of no use any more.
    Result<> commit_staged(bool all);
    bool is_broken() const { return broken_; }

    /// A snapshot that the commit needs, kept until the upload ends.
    void keep_snapshot(SnapshotsInUse::Held held);

    /// Of whoever commits; `committed` is what the first who did was answered.
    Mutex committing;
    std::optional<Committed> committed ZCDP_GUARDED_BY(committing);

  private:
    Quota& quota_;
    std::atomic<bool> broken_{false};
    Mutex staging_;  ///< of whoever commits what was staged
    mutable Mutex mutex_;
    Room reserved_ ZCDP_GUARDED_BY(mutex_), taken_ ZCDP_GUARDED_BY(mutex_);
    std::map<Digest, std::shared_ptr<LongContent>> long_contents_ ZCDP_GUARDED_BY(mutex_);
    std::set<Digest> staged_ ZCDP_GUARDED_BY(mutex_);
    std::vector<SnapshotsInUse::Held> snapshots_ ZCDP_GUARDED_BY(mutex_);
};

}  // namespace zcdp::datastore
