#include "zcdp/transfer/concurrency.hpp"

#include <algorithm>

namespace zcdp::transfer {
namespace {

constexpr int64_t kHalvedOnceNs = 1'000'000'000;
constexpr uint32_t kWaitingLeast = 32;  ///< few may wait for an answer while many read theirs

}  // namespace

void Concurrency::succeeded() {
    const uint32_t now = now_.load(std::memory_order_relaxed);
    if (now >= most_) return;
    if (successes_.fetch_add(1, std::memory_order_relaxed) + 1 < now) return;
    successes_ = 0;
    now_.fetch_add(1);
}

void Concurrency::throttled(int64_t now_ns) {
    const MutexLock lock(mutex_);
    if (halved_at_ns_ != 0 && now_ns - halved_at_ns_ < kHalvedOnceNs) return;
    halved_at_ns_ = now_ns;
    now_ = std::max(1u, std::min(now_.load(), std::max(waiting_.load(), kWaitingLeast)) / 2);
    successes_ = 0;
}

}  // namespace zcdp::transfer
