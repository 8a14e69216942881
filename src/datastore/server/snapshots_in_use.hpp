// Which snapshots may not go although no key's version needs them: those that an upload is about to point a key at, and
// retired ones that are being read.
//
// Thread rule: any thread; hold() blocks while just that snapshot is being taken away.
#pragma once

#include <map>
#include <set>
#include <utility>

#include "zcdp/base/guarded.hpp"
#include "zcdp/store/manifest.hpp"

namespace zcdp::datastore {

class SnapshotsInUse {
  public:
    /// Keeps a snapshot for its own life.
    class Held {
      public:
        Held(SnapshotsInUse& in_use, const store::SnapshotId& id) : in_use_(&in_use), id_(id) { in_use.hold(id); }
        Held(Held&& other) noexcept : in_use_(std::exchange(other.in_use_, nullptr)), id_(other.id_) {}
        Held& operator=(Held&&) = delete;
        ~Held() {
            if (in_use_) in_use_->let_go(id_);
        }

      private:
        SnapshotsInUse* in_use_;
        store::SnapshotId id_;
    };

    /// Unless somebody holds it, nobody can until end_removal(): between the two it goes.
    bool begin_removal(const store::SnapshotId& id) {
        const MutexLock lock(mutex_);
        if (held_.contains(id)) return false;
        going_.insert(id);
        return true;
    }
    void end_removal(const store::SnapshotId& id) {
        {
            const MutexLock lock(mutex_);
            going_.erase(id);
        }
        gone_.notify_all();
    }

    /// A retired version of it was read.
    void note_read(const store::SnapshotId& id, int64_t now_unix_s) {
        const MutexLock lock(mutex_);
        last_read_[id] = now_unix_s;
    }
    bool was_read_after(const store::SnapshotId& id, int64_t unix_s) const {
        const MutexLock lock(mutex_);
        const auto at = last_read_.find(id);
        return at != last_read_.end() && at->second > unix_s;
    }
    void forget_reads_before(int64_t unix_s) {
        const MutexLock lock(mutex_);
        std::erase_if(last_read_, [unix_s](const auto& read) { return read.second < unix_s; });
    }

  private:
    void hold(const store::SnapshotId& id) {
        const MutexLock lock(mutex_);
        while (going_.contains(id)) gone_.wait(mutex_);
        held_.insert(id);
    }
    void let_go(const store::SnapshotId& id) {
        const MutexLock lock(mutex_);
        held_.erase(held_.find(id));
    }

    mutable Mutex mutex_;
    ConditionVariable gone_;
    std::multiset<store::SnapshotId> held_ ZCDP_GUARDED_BY(mutex_);
    std::set<store::SnapshotId> going_ ZCDP_GUARDED_BY(mutex_);
    std::map<store::SnapshotId, int64_t> last_read_ ZCDP_GUARDED_BY(mutex_);
};

}  // namespace zcdp::datastore
