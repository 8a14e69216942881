// How many requests at once and how often again. Pure but for locks. Thread rule: any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>

namespace zcdp::origin {

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
    std::mutex mutex_;
    int64_t halved_at_ns_ = 0;
};

/// Retries draw from one purse that successes fill again, so that an origin that is down is not stormed.
class RetryBudget {
  public:
    bool take();
    void refund();

  private:
    static constexpr int kFull = 1000, kCost = 5;
    std::atomic<int> tokens_{kFull};
};

/// How long a request may be silent before it is given up and sent again on another connection: hedging, for the
/// slowest few (Dean and Barroso, "The Tail at Scale", 2013). The bound follows the latencies seen, as TCP's
/// retransmission timer does (RFC 6298), and a purse that successes fill keeps hedges below one request in twenty.
class Patience {
  public:
    /// The header of an answer came after `ms`.
    void answered(double ms);
    /// For a request that was given up `hedges` times already; 0: wait as long as the limits say.
    uint32_t silence_ms(int hedges) const;
    /// A request was given up: takes from the purse.
    void gave_up();

  private:
    static constexpr int kSamplesFirst = 20, kHedgesMost = 3;
    static constexpr double kPurseMost = 32, kPurseFirst = 8, kShare = 0.05, kFloorMs = 500, kCeilingMs = 10'000,
                            kUnknownMs = 2'000;
    mutable std::mutex mutex_;
    double smooth_ms_ = 0, deviation_ms_ = 0, purse_ = kPurseFirst;
    uint64_t samples_ = 0;
};

/// The pause before attempt `attempt` + 1: full jitter over an exponentially growing span (AWS Architecture Blog,
/// "Exponential Backoff And Jitter"), never less than what Retry-After asks for.
uint64_t backoff_ms(uint32_t attempt, double random_unit, uint64_t retry_after_ms);

}  // namespace zcdp::origin
