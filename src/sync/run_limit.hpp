// How many runs of chunks are read at once. Few cost less than many, for their buffers are larger and stay in the cores'
// caches; where each connection is slow, as over a network with latency, it takes many to fill the wire. So the limit
// begins low and climbs while that brings more bytes a second; a step that did not is taken back, and tried again later.
// Pure: the caller brings the time. Thread rule: any thread.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <mutex>

namespace zcdp::sync {

class RunLimit {
  public:
    explicit RunLimit(uint32_t connections, uint32_t first = kFirst) : most_(connections), now_(std::min(first, connections)) {}
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

    static constexpr uint32_t kFirst = 12;
    static constexpr uint64_t kWindowNs = 250'000'000;

  private:
    void decide(double rate) {
        if (resting_ > 0) {
            --resting_;
        } else if (stepped_from_ > 0 && rate < rate_before_ * kWorthIt) {
            now_ = stepped_from_;
            stepped_from_ = 0, resting_ = kRest;
        } else {
            stepped_from_ = now_;
            now_ = std::min(most_, stepped_from_ + std::max(2u, stepped_from_ / 4));
        }
        rate_before_ = rate;
    }

    static constexpr double kWorthIt = 1.08;  ///< of a step that is a quarter more runs
    static constexpr uint32_t kRest = 8;      ///< windows
    const uint32_t most_;
    std::atomic<uint32_t> now_;
    std::mutex mutex_;
    uint64_t window_began_ns_ = 0, window_bytes_ = 0;
    double rate_before_ = 0;
    uint32_t stepped_from_ = 0;  ///< 0: the last window followed no step
    uint32_t resting_ = 1;       ///< the first window is a start like none after it
};

}  // namespace zcdp::sync
