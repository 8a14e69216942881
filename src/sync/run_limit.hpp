// How many runs of chunks are read at once. Few fast ones cost less than many (their buffers stay in the cores' caches);
// where a connection is slow, as over a network with latency, it takes many to fill the wire. Pure.
// Thread rule: any thread.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace zcdp::sync {

class RunLimit {
  public:
    explicit RunLimit(uint32_t connections) : most_(connections), now_(std::min(kFirst, connections)) {}
    uint32_t now() const { return now_.load(std::memory_order_relaxed); }
    /// A run of `bytes` took `ns`, of which the limit's rule is: one more for a slow connection, one less for a fast one.
    void finished(uint64_t bytes, uint64_t ns) {
        const uint64_t bytes_per_s = ns == 0 ? kFast : bytes * 1000 / std::max<uint64_t>(ns / 1'000'000, 1);
        uint32_t have = now();
        if (bytes_per_s < kSlow && have < most_)
            now_.compare_exchange_strong(have, std::min(most_, have + 2));
        else if (bytes_per_s >= kFast && have > std::min(kLeast, most_))
            now_.compare_exchange_strong(have, have - 1);
    }

  private:
    static constexpr uint32_t kFirst = 8, kLeast = 4;
    static constexpr uint64_t kSlow = 120'000'000, kFast = 250'000'000;
    const uint32_t most_;
    std::atomic<uint32_t> now_;
};

}  // namespace zcdp::sync
