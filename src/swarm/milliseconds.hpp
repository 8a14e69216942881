// From the injected clock's nanoseconds to milliseconds. Pure.
#pragma once

#include <algorithm>
#include <cstdint>

namespace zcdp::swarm {

inline constexpr int64_t kNsPerMs = 1'000'000;

/// How long it is from `now_ns` to `at_ns`, rounded up; 0 when that is over.
inline uint64_t ms_until(int64_t at_ns, int64_t now_ns) {
    return static_cast<uint64_t>(std::max<int64_t>(at_ns - now_ns + kNsPerMs - 1, 0) / kNsPerMs);
}

}  // namespace zcdp::swarm
