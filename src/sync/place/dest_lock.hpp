// One run into a DEST at a time: an flock on DEST/.zcdp/lock, which names its holder for whoever waits. A killed
// holder's lock is free; a clean end takes the file away. Thread rule: one thread.
#pragma once

#include <stop_token>
#include <string>

#include "zcdp/base/clock.hpp"
#include "zcdp/base/error.hpp"
#include "zcdp/base/fs.hpp"
#include "zcdp/base/log.hpp"

namespace zcdp::sync {

/// How long, and what to say meanwhile.
struct LockWait {
    std::string holder;  ///< what others are told of us
    uint64_t timeout_ms = 0;
    std::stop_token stop;
    Logger& log;
};

class DestLock {
  public:
    DestLock() = default;
    /// `own` is DEST's .zcdp, `shown` what messages call DEST. A file system that has no locks is said in the log, and
    /// gone on with: there nobody else is kept out. Errors: busy, naming the holder; interrupted; of the disk.
    static Result<DestLock> take(Fs& fs, Clock& clock, int own, const std::string& shown, const LockWait& wait);
    /// The folder went away while somebody else held it: there is nothing to lock.
    bool gone() const { return gone_; }
    /// A clean end.
    void release(Fs& fs, int own);

  private:
    Fd file_;
    bool gone_ = false;
};

}  // namespace zcdp::sync
