// Which lock a field needs, said where the field is and checked by the compiler (clang's -Wthread-safety): a use
// without the lock does not compile. std::mutex of libstdc++ carries no such words, so Mutex and MutexLock stand for
// it.
//
//   Mutex mutex_;
//   uint64_t bytes_ ZCDP_GUARDED_BY(mutex_) = 0;
//   void grow() ZCDP_REQUIRES(mutex_);
//
// A lambda is looked at by itself: what it needs under a lock it locks, or is handed.
#pragma once

#include <mutex>

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

/// std::mutex with words for the compiler. Also a BasicLockable for std::condition_variable_any: wait(mutex_) with the
/// lock held, in a loop that looks at the condition.
class ZCDP_THREAD_ATTRIBUTE(capability("mutex")) Mutex {
  public:
    void lock() ZCDP_THREAD_ATTRIBUTE(acquire_capability()) { mutex_.lock(); }
    void unlock() ZCDP_THREAD_ATTRIBUTE(release_capability()) { mutex_.unlock(); }

  private:
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

}  // namespace zcdp
