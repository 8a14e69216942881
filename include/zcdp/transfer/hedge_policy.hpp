// When a silent request is sent again on another connection.
// Pure but for a lock. Thread rule: any thread.
#pragma once

#include <cstdint>

#include "zcdp/base/guarded.hpp"

namespace zcdp::transfer {

/// How long a request may be silent before it is given up and sent again on another connection: hedging, for the
/// slowest few (Dean and Barroso, "The Tail at Scale", 2013). The bound follows the latencies seen, as TCP's
/// retransmission timer does (RFC 6298), and a token bucket that successes fill keeps hedges below one request in
/// twenty.
class HedgePolicy {
  public:
    /// The header of an answer came after `ms`.
    void answered(double ms);
    /// For a request that was given up `hedges` times already; 0: wait as long as the limits say.
    uint32_t silence_ms(int hedges) const;
    /// A request was given up: takes a token.
    void gave_up();

  private:
    static constexpr int kSamplesFirst = 20, kHedgesMost = 3;
    static constexpr double kTokensMost = 32, kTokensFirst = 8, kShare = 0.05, kFloorMs = 500, kCeilingMs = 10'000,
                            kUnknownMs = 2'000;
    mutable Mutex mutex_;
    double smooth_ms_ ZCDP_GUARDED_BY(mutex_) = 0, deviation_ms_ ZCDP_GUARDED_BY(mutex_) = 0;
    double tokens_ ZCDP_GUARDED_BY(mutex_) = kTokensFirst;
    uint64_t samples_ ZCDP_GUARDED_BY(mutex_) = 0;
};

}  // namespace zcdp::transfer
