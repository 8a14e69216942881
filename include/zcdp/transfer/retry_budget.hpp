// How many requests may be sent again.
// Pure. Thread rule: any thread.
#pragma once

#include <atomic>

namespace zcdp::transfer {

/// Retries draw from one token bucket that successes fill again, so that an origin that is down is not stormed.
class RetryBudget {
  public:
    /// False: none is left, the error is final.
    bool take();
    /// A request went well.
    void refund();

  private:
    static constexpr int kFull = 1000, kCost = 5;
    std::atomic<int> tokens_{kFull};
};

}  // namespace zcdp::transfer
