// --bandwidth: bytes a second over all loops together. Pure but for the lock. Thread rule: any thread.
#pragma once

#include <algorithm>
#include <cstdint>

#include "zcdp/base/guarded.hpp"

namespace zcdp::transfer {

class RateLimiter {
  public:
    /// 0: no limit.
    explicit RateLimiter(uint64_t bytes_per_second) : rate_(bytes_per_second) {}
    /// Notes `bytes` that were read at `now_ns`; for how long the reader has to rest.
    uint64_t rest_ms(uint64_t bytes, int64_t now_ns) {
        if (rate_ == 0) return 0;
        const MutexLock lock(mutex_);
        const auto cost_ns = static_cast<int64_t>(static_cast<double>(bytes) * 1e9 / static_cast<double>(rate_));
        free_at_ns_ = std::max(free_at_ns_, now_ns) + cost_ns;
        return static_cast<uint64_t>(free_at_ns_ - now_ns) / 1'000'000;
    }

  private:
    const uint64_t rate_;
    Mutex mutex_;
    int64_t free_at_ns_ ZCDP_GUARDED_BY(mutex_) = 0;
};

}  // namespace zcdp::transfer
