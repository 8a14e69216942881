#include "zcdp/transfer/backoff.hpp"

#include <algorithm>

namespace zcdp::transfer {
namespace {

constexpr uint64_t kBackoffFirstMs = 100, kBackoffMostMs = 20'000;

}  // namespace

uint64_t backoff_ms(uint32_t attempt, double random_unit, uint64_t retry_after_ms) {
    const uint64_t span = std::min(kBackoffMostMs, kBackoffFirstMs << std::min(attempt, 16u));
    return std::max(retry_after_ms, static_cast<uint64_t>(static_cast<double>(span) * random_unit));
}

}  // namespace zcdp::transfer
