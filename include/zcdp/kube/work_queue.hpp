// Keys to be looked at: each at most once at a time, later ones after their delay, failing ones with a growing pause
// (controller-runtime's work queue is the model). Time comes in as an argument of the pure part.
//
// Thread rule: any thread.
#pragma once

#include <condition_variable>
#include <map>
#include <optional>
#include <set>
#include <stop_token>
#include <string>

#include "zcdp/base/backoff.hpp"
#include "zcdp/base/clock.hpp"
#include "zcdp/base/guarded.hpp"
#include "zcdp/base/random.hpp"

namespace zcdp::kube {

class WorkQueue {
  public:
    WorkQueue(const Clock& clock, Random& random) : clock_(clock), random_(random) {}
    /// Due in `delay_ms`, or earlier if it was due earlier.
    void add(const std::string& key, uint64_t delay_ms = 0);
    /// Due after the pause of its failures: 200 ms, doubled each time up to 60 s, jittered.
    void add_after_failure(const std::string& key);
    void succeeded(const std::string& key);
    /// A key that is due, taken until done() is called; nullopt when none is, now.
    std::optional<std::string> try_take();
    /// The same, waiting; nullopt once stopped.
    std::optional<std::string> take(std::stop_token stop);
    /// The key may be taken again: at once if it was added meanwhile.
    void done(const std::string& key);
    /// Milliseconds until the next key is due; nullopt when there is none.
    std::optional<uint64_t> next_due_ms() const;
    size_t depth() const;
    void clear();

  private:
    std::optional<std::string> take_locked() ZCDP_REQUIRES(mutex_);
    int64_t now_ms() const { return clock_.monotonic_ns() / 1'000'000; }
    const Clock& clock_;
    Random& random_;
    mutable Mutex mutex_;
    std::condition_variable_any wake_;
    uint64_t changes_ ZCDP_GUARDED_BY(mutex_) = 0;
    std::map<std::string, int64_t> due_ms_ ZCDP_GUARDED_BY(mutex_);
    std::set<std::pair<int64_t, std::string>> order_ ZCDP_GUARDED_BY(mutex_);
    std::set<std::string> taken_ ZCDP_GUARDED_BY(mutex_);
    std::map<std::string, Backoff> failures_ ZCDP_GUARDED_BY(mutex_);
};

}  // namespace zcdp::kube
