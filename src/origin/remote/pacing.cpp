#include "src/origin/remote/pacing.hpp"

#include <algorithm>
#include <cmath>

namespace zcdp::origin {
namespace {

constexpr int64_t kHalvedOnceNs = 1'000'000'000;
constexpr uint32_t kWaitingLeast = 32;  ///< few may wait for an answer while many read theirs
constexpr uint64_t kBackoffFirstMs = 100, kBackoffMostMs = 20'000;

}  // namespace

void Concurrency::succeeded() {
    const uint32_t now = now_.load(std::memory_order_relaxed);
    if (now >= most_) return;
    if (successes_.fetch_add(1, std::memory_order_relaxed) + 1 < now) return;
    successes_ = 0;
    now_.fetch_add(1);
}

void Concurrency::throttled(int64_t now_ns) {
    const std::scoped_lock lock(mutex_);
    if (halved_at_ns_ != 0 && now_ns - halved_at_ns_ < kHalvedOnceNs) return;
    halved_at_ns_ = now_ns;
    now_ = std::max(1u, std::min(now_.load(), std::max(waiting_.load(), kWaitingLeast)) / 2);
    successes_ = 0;
}

bool RetryBudget::take() {
    int have = tokens_.load();
    while (have >= kCost)
        if (tokens_.compare_exchange_weak(have, have - kCost)) return true;
    return false;
}

void RetryBudget::refund() {
    int have = tokens_.load(std::memory_order_relaxed);
    if (have < kFull) tokens_.compare_exchange_strong(have, have + 1);
}

void Patience::answered(double ms) {
    const std::scoped_lock lock(mutex_);
    if (samples_++ == 0) smooth_ms_ = ms, deviation_ms_ = ms / 2;
    deviation_ms_ += (std::abs(ms - smooth_ms_) - deviation_ms_) / 8;  // RFC 6298's, slower: thousands of samples come
    smooth_ms_ += (ms - smooth_ms_) / 16;
    purse_ = std::min(kPurseMost, purse_ + kShare);
}

uint32_t Patience::silence_ms(int hedges) const {
    const std::scoped_lock lock(mutex_);
    if (hedges >= kHedgesMost || purse_ < 1) return 0;
    const double bound =
        samples_ < kSamplesFirst ? kUnknownMs : std::clamp(smooth_ms_ + 8 * deviation_ms_, kFloorMs, kCeilingMs);
    return static_cast<uint32_t>(bound) << hedges;
}

void Patience::gave_up() {
    const std::scoped_lock lock(mutex_);
    purse_ -= 1;
}

uint64_t backoff_ms(uint32_t attempt, double random_unit, uint64_t retry_after_ms) {
    const uint64_t span = std::min(kBackoffMostMs, kBackoffFirstMs << std::min(attempt, 16u));
    return std::max(retry_after_ms, static_cast<uint64_t>(static_cast<double>(span) * random_unit));
}

}  // namespace zcdp::origin
