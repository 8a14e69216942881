// Which lock a field needs, said where the field is and checked by the compiler (clang's -Wthread-safety): a use
// without the lock does not compile. std::mutex of libstdc++ carries no such words, so Mutex and MutexLock stand for
// it.
//
//   Mutex mutex_;
//   uint64_t bytes_ ZCDP_GUARDED_BY(mutex_) = 0;
//   void grow() ZCDP_REQUIRES(mutex_);
//
// A lambda is looked at by itself: what it needs under a lock it locks, or is handed; or it says ZCDP_REQUIRES, where
// the one who calls it holds the lock, as ConditionVariable::wait_for() does.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <utility>

#if defined(__clang__)
#define ZCDP_THREAD_ATTRIBUTE(x) __attribute__((x))
#else
#define ZCDP_THREAD_ATTRIBUTE(x)
#endif

/// Of a field: read and written only under this mutex.
#define ZCDP_GUARDED_BY(mutex) ZCDP_THREAD_ATTRIBUTE(guarded_by(mutex))
/// Of a pointer: what it points to is.
#define ZCDP_PT_GUARDED_BY(mutex) ZCDP_THREAD_ATTRIBUTE(pt_guarded_by(mutex))
/// Of a function: the caller holds this mutex; or must not.
#define ZCDP_REQUIRES(...) ZCDP_THREAD_ATTRIBUTE(requires_capability(__VA_ARGS__))
#define ZCDP_EXCLUDES(...) ZCDP_THREAD_ATTRIBUTE(locks_excluded(__VA_ARGS__))

namespace zcdp {

/// std::mutex with words for the compiler. Also a BasicLockable: where a wait ends with a std::stop_token,
/// std::condition_variable_any waits with the Mutex itself.
class ZCDP_THREAD_ATTRIBUTE(capability("mutex")) Mutex {
  public:
    void lock() ZCDP_THREAD_ATTRIBUTE(acquire_capability()) { mutex_.lock(); }
    void unlock() ZCDP_THREAD_ATTRIBUTE(release_capability()) { mutex_.unlock(); }

  private:
    friend class ConditionVariable;
    std::mutex mutex_;
};

/// Holds a Mutex for its own life.
class ZCDP_THREAD_ATTRIBUTE(scoped_lockable) MutexLock {
  public:
    explicit MutexLock(Mutex& mutex) ZCDP_THREAD_ATTRIBUTE(acquire_capability(mutex)) : mutex_(mutex) { mutex_.lock(); }
    ~MutexLock() ZCDP_THREAD_ATTRIBUTE(release_capability()) { mutex_.unlock(); }
    MutexLock(const MutexLock&) = delete;
    MutexLock& operator=(const MutexLock&) = delete;

  private:
    Mutex& mutex_;
};

/// std::condition_variable for a Mutex. The caller's lock is given up during a wait, and held again after it.
class ConditionVariable {
  public:
    /// May come back for no reason: in a loop that looks at what is waited for.
    void wait(Mutex& mutex) ZCDP_REQUIRES(mutex) {
        Held held(mutex);
        condition_.wait(held.lock);
    }
    /// Until holds() says true, under the lock, or `most` is over; what it said last.
    template <class Holds>
    bool wait_for(Mutex& mutex, std::chrono::milliseconds most, Holds holds) ZCDP_REQUIRES(mutex) {
        Held held(mutex);
        return condition_.wait_for(held.lock, most, std::move(holds));
    }
    void notify_one() { condition_.notify_one(); }
    void notify_all() { condition_.notify_all(); }

  private:
    /// The caller's lock as the standard's: it stays the caller's.
    struct Held {
        explicit Held(Mutex& mutex) : lock(mutex.mutex_, std::adopt_lock) {}
        ~Held() { lock.release(); }
        std::unique_lock<std::mutex> lock;
    };
    std::condition_variable condition_;
};

}  // namespace zcdp
