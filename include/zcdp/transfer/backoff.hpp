// The pause between attempts. Pure.
#pragma once

#include <cstdint>

namespace zcdp::transfer {

/// The pause before attempt `attempt` + 1: full jitter over an exponentially growing span (AWS Architecture Blog,
/// "Exponential Backoff And Jitter"), never less than what Retry-After asks for.
uint64_t backoff_ms(uint32_t attempt, double random_unit, uint64_t retry_after_ms);

}  // namespace zcdp::transfer
