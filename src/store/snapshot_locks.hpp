// One at a time for each snapshot: whoever gives it its folder, changes its meta, or takes it away.
//
// Thread rule: any thread. Readers and leases do not come here.
#pragma once

#include <set>

#include "zcdp/base/guarded.hpp"
#include "zcdp/store/manifest.hpp"

namespace zcdp::store {

class SnapshotLocks {
  public:
    /// The snapshot is its holder's until it goes out of scope.
    class Held {
      public:
        Held(SnapshotLocks& locks, const SnapshotId& id) : locks_(locks), id_(id) {}
        ~Held() { locks_.give_back(id_); }
        Held(const Held&) = delete;
        Held& operator=(const Held&) = delete;

      private:
        SnapshotLocks& locks_;
        const SnapshotId id_;
    };

    /// Waits until nobody else has it. One thread takes one snapshot at a time.
    [[nodiscard]] Held take(const SnapshotId& id) {
        const MutexLock lock(mutex_);
        while (taken_.contains(id)) free_.wait(mutex_);
        taken_.insert(id);
        return Held(*this, id);
    }

  private:
    void give_back(const SnapshotId& id) {
        {
            const MutexLock lock(mutex_);
            taken_.erase(id);
        }
        free_.notify_all();
    }
    Mutex mutex_;
    ConditionVariable free_;
    std::set<SnapshotId> taken_ ZCDP_GUARDED_BY(mutex_);
};

}  // namespace zcdp::store
