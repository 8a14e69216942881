// How many reads there are at once, of chunks or of small objects. Few cost less than many, for buffers are larger and
// stay in the cores' caches; where each connection is slow, as over a network with latency, it takes many to fill the
// wire. So the limit begins low and climbs while that brings more a second; a step that did not is taken back, and
// tried again later. Of requests fewer are tried, too, and kept where they bring as much. Pure: the caller brings the
// time. Thread rule: any thread.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <utility>

#include "zcdp/base/guarded.hpp"

namespace zcdp::transfer {

class ClimbingLimit {
  public:
    struct Steps {
        double size;              ///< of a step, as a part of what there is
        double worth_it;          ///< what the rate must have grown to, a part of what it was
        uint32_t settle_windows;  ///< before the rate after a step is that of the step
        bool tries_fewer;         ///< after a step that brought nothing, whether fewer bring as much
    };
    /// Runs last for many windows, so that a step shows in the next one.
    static constexpr Steps kOfRuns{0.25, 1.08, 0, false};
    /// Objects are short, but the answers to what a step asks for come only after their latency. A busy machine's rates
    /// waver, so that now and then a step seems to have brought what it did not: without a way down, a long run would
    /// end with the most.
    static constexpr Steps kOfRequests{0.5, 1.15, 1, true};

    ClimbingLimit(uint32_t first, uint32_t most, Steps steps = kOfRuns)
        : first_(std::min(first, most)), most_(most), steps_(steps), now_(first_) {}
    uint32_t now() const { return now_.load(std::memory_order_relaxed); }

    /// `bytes` more have come by `at_ns` of a clock that never goes back.
    void moved(uint64_t bytes, uint64_t at_ns) {
        const MutexLock lock(mutex_);
        if (window_began_ns_ == 0) window_began_ns_ = at_ns;
        window_bytes_ += bytes;
        if (at_ns - window_began_ns_ < kWindowNs) return;
        decide(static_cast<double>(window_bytes_) / static_cast<double>(at_ns - window_began_ns_));
        window_began_ns_ = at_ns;
        window_bytes_ = 0;
    }

    static constexpr uint64_t kWindowNs = 250'000'000;

  private:
    void decide(double rate) ZCDP_REQUIRES(mutex_) {
        if (settling_ > 0) {
            --settling_;
            return;
        }
        if (stepped_from_ > 0 && !step_was_good(rate)) take_back();
        else if (resting_ > 0) --resting_;
        else step();
        rate_before_ = rate;
    }

    bool step_was_good(double rate) const ZCDP_REQUIRES(mutex_) {
        return rate >= rate_before_ * (now_ > stepped_from_ ? steps_.worth_it : 1 / steps_.worth_it);
    }

    void take_back() ZCDP_REQUIRES(mutex_) {
        const bool was_fewer = now_ < stepped_from_;
        now_ = stepped_from_;
        stepped_from_ = 0;
        fewer_next_ = steps_.tries_fewer && !was_fewer;
        resting_ = was_fewer ? rest_after_fewer() : kRest;
    }

    void step() ZCDP_REQUIRES(mutex_) {
        stepped_from_ = now_;
        settling_ = steps_.settle_windows;
        if (fewer_next_ && stepped_from_ > first_) {
            now_ = std::max(first_, static_cast<uint32_t>(stepped_from_ / (1 + steps_.size)));
        } else if (stepped_from_ < most_) {
            now_ = std::min(most_, stepped_from_ + std::max(2u, static_cast<uint32_t>(stepped_from_ * steps_.size)));
            fewer_next_ = false;
        } else {
            stepped_from_ = 0, settling_ = 0;
            fewer_next_ = steps_.tries_fewer;
            resting_ = rest_after_fewer();
        }
    }

    /// A step down costs what it loses: one that is taken back is tried again after twice the time.
    uint32_t rest_after_fewer() ZCDP_REQUIRES(mutex_) {
        return std::exchange(fewer_rest_, std::min(2 * fewer_rest_, kFewerRestMost));
    }

    static constexpr uint32_t kRest = 8, kFewerRestMost = 32;  ///< windows
    const uint32_t first_, most_;
    const Steps steps_;
    std::atomic<uint32_t> now_;
    Mutex mutex_;
    uint64_t window_began_ns_ ZCDP_GUARDED_BY(mutex_) = 0, window_bytes_ ZCDP_GUARDED_BY(mutex_) = 0;
    double rate_before_ ZCDP_GUARDED_BY(mutex_) = 0;
    uint32_t stepped_from_ ZCDP_GUARDED_BY(mutex_) = 0;  ///< 0: the last window followed no step
    bool fewer_next_ ZCDP_GUARDED_BY(mutex_) = false;    ///< the next step is one down
    uint32_t settling_ ZCDP_GUARDED_BY(mutex_) = 0;      ///< windows
    uint32_t resting_ ZCDP_GUARDED_BY(mutex_) = 1;       ///< the first window is a start like none after it
    uint32_t fewer_rest_ ZCDP_GUARDED_BY(mutex_) = kRest;
};

}  // namespace zcdp::transfer
