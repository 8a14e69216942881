// An assertion that stays on in release: for what must hold whatever comes from outside, where going on would write
// over good data or wait for ever. What may be wrong from outside is a Result, never this. Thread rule: any thread.
#pragma once

namespace zcdp {

/// Says on stderr which expression did not hold, and where, and aborts.
[[noreturn]] void assertion_failed(const char* expression, const char* file, int line) noexcept;

}  // namespace zcdp

#define ZCDP_ASSERT(condition) \
    (static_cast<bool>(condition) ? void() : ::zcdp::assertion_failed(#condition, __FILE__, __LINE__))
