// How many reads there are at once, of chunks or of small objects. Few cost less than many, for buffers are larger and stay
// in the cores' caches; where each connection is slow, as over a network with latency, it takes many to fill the wire. So the
// limit begins low and climbs while that brings more a second; a step that did not is taken back, and tried again later.
// Pure: the caller brings the time. Thread rule: any thread.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <mutex>

namespace zcdp::sync {

class ClimbingLimit {
  public:
    struct Steps {
        double size;             ///< of a step, as a part of what there is
        double worth_it;         ///< what the rate must have grown to, a part of what it was
        uint32_t settle_windows; ///< before the rate after a step is that of the step
    };
    /// Runs last for many windows, so that a step shows in the next one.
    static constexpr Steps kOfRuns{0.25, 1.08, 0};
    /// Objects are short, but the answers to what a step asks for come only after their latency.
    static constexpr Steps kOfRequests{0.5, 1.15, 1};

    ClimbingLimit(uint32_t first, uint32_t most, Steps steps = kOfRuns) : most_(most), steps_(steps), now_(std::min(first, most)) {}
    uint32_t now() const { return now_.load(std::memory_order_relaxed); }

    /// `bytes` more have come by `at_ns` of a clock that never goes back.
    void moved(uint64_t bytes, uint64_t at_ns) {
        const std::scoped_lock lock(mutex_);
        if (window_began_ns_ == 0) window_began_ns_ = at_ns;
        window_bytes_ += bytes;
        if (at_ns - window_began_ns_ < kWindowNs) return;
        decide(static_cast<double>(window_bytes_) / static_cast<double>(at_ns - window_began_ns_));
        window_began_ns_ = at_ns;
        window_bytes_ = 0;
    }

    static constexpr uint64_t kWindowNs = 250'000'000;

  private:
    void decide(double rate) {
        if (settling_ > 0) {
            --settling_;
            return;
        }
        if (resting_ > 0) {
            --resting_;
        } else if (stepped_from_ > 0 && rate < rate_before_ * steps_.worth_it) {
            now_ = stepped_from_;
            stepped_from_ = 0, resting_ = kRest;
        } else if (now_ < most_) {
            stepped_from_ = now_;
            now_ = std::min(most_, stepped_from_ + std::max(2u, static_cast<uint32_t>(stepped_from_ * steps_.size)));
            settling_ = steps_.settle_windows;
        } else {
            stepped_from_ = 0;
        }
        rate_before_ = rate;
    }

    static constexpr uint32_t kRest = 8;  ///< windows
    const uint32_t most_;
    const Steps steps_;
    std::atomic<uint32_t> now_;
    std::mutex mutex_;
    uint64_t window_began_ns_ = 0, window_bytes_ = 0;
    double rate_before_ = 0;
    uint32_t stepped_from_ = 0;  ///< 0: the last window followed no step
    uint32_t settling_ = 0;      ///< windows
    uint32_t resting_ = 1;       ///< the first window is a start like none after it
};

}  // namespace zcdp::sync
