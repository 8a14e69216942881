// How long an informer waits before it asks again: longer each time while the reason stays the same, up to ten seconds.
// Another reason is news: a server that was away and now says "too old resource version" is back, and is asked again
// soon. Pure: the caller brings the randomness and sleeps. Thread rule: one thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "zcdp/base/backoff.hpp"
#include "zcdp/kube/api.hpp"

namespace zcdp::kube {

class WatchPauses {
  public:
    static constexpr uint64_t kFirstMs = 200, kMostMs = 10'000, kAskedForMostMs = 60'000;

    /// Events came, or the watch ended as watches do.
    void went_well() { last_kind_.reset(); }

    /// Between half of the pause and all of it, so that not all informers come at once; never less than the server
    /// asked for, within a minute.
    uint64_t after_ms(const ApiError& error, Random& random) {
        const bool is_news = std::exchange(last_kind_, error.kind()) != error.kind();
        if (is_news) backoff_.reset();
        const uint64_t asked_for_ms = std::min(kAskedForMostMs, uint64_t{error.retry_after_s()} * 1000);
        return backoff_.next(random, asked_for_ms);
    }

  private:
    std::optional<ApiErrorKind> last_kind_;  ///< nullopt: the last watch went well
    Backoff backoff_{{kFirstMs, kMostMs, Jitter::equal}};
};

}  // namespace zcdp::kube
