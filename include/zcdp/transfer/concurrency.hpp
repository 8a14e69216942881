// How many requests are under way at once, as the other side takes them.
// Pure but for a lock. Thread rule: any thread.
#pragma once

#include <atomic>
#include <cstdint>

#include "zcdp/base/guarded.hpp"

namespace zcdp::transfer {

/// How many requests at once: half of those under way when the origin asks for fewer, one more for every so many that
/// went well (additive increase, multiplicative decrease; Chiu and Jain 1989).
class Concurrency {
  public:
    /// A request that waits for its answer.
    class Waiting {
      public:
        explicit Waiting(Concurrency& of) : of_(of) { ++of_.waiting_; }
        Waiting(const Waiting&) = delete;
        Waiting& operator=(const Waiting&) = delete;
        ~Waiting() { --of_.waiting_; }

      private:
        Concurrency& of_;
    };

    explicit Concurrency(uint32_t most) : most_(most), now_(most) {}
    uint32_t now() const { return now_.load(std::memory_order_relaxed); }
    void succeeded();
    /// One answer stands for all that were under way with it: within a second only the first counts.
    void throttled(int64_t now_ns);

  private:
    const uint32_t most_;
    std::atomic<uint32_t> now_;
    std::atomic<uint32_t> successes_{0}, waiting_{0};
    Mutex mutex_;
    int64_t halved_at_ns_ ZCDP_GUARDED_BY(mutex_) = 0;
};

}  // namespace zcdp::transfer
