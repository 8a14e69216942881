// What the syncs that run in this process need of a store: their blobs and partial files, which nothing takes away
// while they run, and the room that they were promised.
//
// Thread rule: any thread.
#pragma once

#include <atomic>
#include <cstdlib>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "zcdp/base/guarded.hpp"
#include "zcdp/store/ingest.hpp"

namespace zcdp::store {

/// Digests in bounded memory: knows every one that was added, and takes a few others for them (4 % at ten million). A
/// digest's bytes are as good as random, so they are their own hashes. 8 MiB of address space; memory as it fills.
class DigestFilter {
  public:
    void add(const Digest& digest);
    bool may_have(const Digest& digest) const;

  private:
    struct Free {
        void operator()(uint64_t* words) const { std::free(words); }
    };
    std::unique_ptr<uint64_t[], Free> words_;
};

class Holds;

class HoldOnStore final : public Hold {
  public:
    explicit HoldOnStore(std::shared_ptr<Holds> holds);
    ~HoldOnStore() override;
    HoldOnStore(const HoldOnStore&) = delete;
    HoldOnStore& operator=(const HoldOnStore&) = delete;

    /// Before it is looked whether the blob is there: from now on it stays as it is. Waits while just this one is being
    /// removed.
    void keep_blob(const Digest& digest);
    /// `name` is below partial/. Waits as keep_blob() does.
    void keep_partial(const std::string& name);
    void promise(uint64_t bytes);
    /// So much of what was promised is on the disk now.
    void spend(uint64_t bytes);
    /// The names in partial/ when the first was asked for: `list` is called once.
    const std::set<std::string>& partials_at_start(const std::function<std::set<std::string>()>& list) {
        std::call_once(listed_, [&] { partials_at_start_ = list(); });
        return partials_at_start_;
    }

  private:
    friend class Holds;
    const std::shared_ptr<Holds> holds_;
    std::once_flag listed_;
    std::set<std::string> partials_at_start_;
    DigestFilter blobs_;  ///< under the registry's mutex, as the next ones
    std::set<std::string> partials_;
    uint64_t promised_ = 0;
};

/// All that are there, and what is being removed. Shared by the store and its holds.
class Holds {
  public:
    bool need(const Digest& blob) const;
    bool need_partial(const std::string& name) const;

    /// Unless somebody needs it, nobody can begin to until end_removal(): between the two its files go.
    bool begin_removal(const Digest& blob);
    bool begin_removal(const std::string& partial);
    /// The same whoever needs it: for what turned out to be damaged.
    void begin_forced_removal(const Digest& blob);
    void end_removal(const Digest& blob);
    void end_removal(const std::string& partial);
    uint64_t promised_bytes() const { return promised_bytes_; }

  private:
    friend class HoldOnStore;
    bool need_locked(const Digest& blob) const ZCDP_REQUIRES(mutex_);
    bool need_locked(const std::string& partial) const ZCDP_REQUIRES(mutex_);

    mutable Mutex mutex_;
    ConditionVariable removed_;
    std::set<const HoldOnStore*> all_ ZCDP_GUARDED_BY(mutex_);
    std::set<Digest> blobs_going_ ZCDP_GUARDED_BY(mutex_);
    std::set<std::string> partials_going_ ZCDP_GUARDED_BY(mutex_);
    std::atomic<uint64_t> promised_bytes_{0};
};

}  // namespace zcdp::store
