// The pause between attempts: a span that doubles with every failure, and a random part of it, so that those who failed
// together do not come back together (AWS Architecture Blog, "Exponential Backoff And Jitter"). Pure: the caller brings
// the randomness and sleeps. Thread rule: one thread. Owns nothing.
#pragma once

#include <cstdint>

#include "zcdp/base/random.hpp"

namespace zcdp {

/// What part of the span a pause is.
enum class Jitter {
    full,    ///< [0, span): the least load on a server that many ask at once
    equal,   ///< [span / 2, span]: never at once
    around,  ///< [span / 2, span * 3 / 2): on average the span
};

struct BackoffLimits {
    uint64_t first_ms, most_ms;  ///< the spans of the first failure, and of the last ones; both > 0
    Jitter jitter;
};

class Backoff {
  public:
    /// As after `failures` of them.
    constexpr explicit Backoff(BackoffLimits limits, uint32_t failures = 0) : limits_(limits), failures_(failures) {}
    /// Milliseconds to wait after one failure more; never less than the other side asked for (Retry-After).
    uint64_t next(Random& random, uint64_t asked_for_ms = 0);
    /// It went well: the next failure is the first.
    void reset() { failures_ = 0; }
    /// The span of the next failure, in milliseconds.
    uint64_t span_ms() const;

  private:
    uint64_t jittered(uint64_t span, Random& random) const;
    BackoffLimits limits_;
    uint32_t failures_;
};

}  // namespace zcdp
