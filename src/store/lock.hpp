// One writer per store: an flock on ROOT/lock, which names its holder for whoever waits (lock_holder.hpp).
#pragma once

#include <string>

#include "zcdp/base/clock.hpp"
#include "zcdp/base/error.hpp"
#include "zcdp/base/fs.hpp"
#include "zcdp/store/lock_holder.hpp"

namespace zcdp::store {

class Lock {
  public:
    Lock() = default;
    /// Waits up to `timeout_ms`. Errors: busy, naming the holder.
    static Result<Lock> take(Fs& fs, Clock& clock, int root_dir, const std::string& root, const LockHolder& holder,
                             uint64_t timeout_ms);
    /// Whether whoever held it before ended without release(): killed, or the power went.
    bool left_behind() const { return left_behind_; }
    /// A clean end.
    void release(Fs& fs);

  private:
    Fd file_;
    bool left_behind_ = false;
};

}  // namespace zcdp::store
