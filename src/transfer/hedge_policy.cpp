#include "zcdp/transfer/hedge_policy.hpp"

#include <algorithm>
#include <cmath>

namespace zcdp::transfer {

void HedgePolicy::answered(double ms) {
    const MutexLock lock(mutex_);
    if (samples_++ == 0) smooth_ms_ = ms, deviation_ms_ = ms / 2;
    deviation_ms_ += (std::abs(ms - smooth_ms_) - deviation_ms_) / 8;  // RFC 6298's, slower: thousands of samples come
    smooth_ms_ += (ms - smooth_ms_) / 16;
    tokens_ = std::min(kTokensMost, tokens_ + kShare);
}

uint32_t HedgePolicy::silence_ms(int hedges) const {
    const MutexLock lock(mutex_);
    if (hedges >= kHedgesMost || tokens_ < 1) return 0;
    const double bound =
        samples_ < kSamplesFirst ? kUnknownMs : std::clamp(smooth_ms_ + 8 * deviation_ms_, kFloorMs, kCeilingMs);
    return static_cast<uint32_t>(bound) << hedges;
}

void HedgePolicy::gave_up() {
    const MutexLock lock(mutex_);
    tokens_ -= 1;
}

}  // namespace zcdp::transfer
