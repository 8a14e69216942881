// Answers that are kept, and asked for once by however many want them at the same time.
//
// Thread rule: any thread; whoever asks first does so on its own thread, the others wait for it.
#pragma once

#include <exception>
#include <functional>
#include <future>
#include <limits>
#include <map>
#include <utility>

#include "src/kube/answer_cache.hpp"
#include "zcdp/base/guarded.hpp"
#include "zcdp/kube/review.hpp"

namespace zcdp::kube {

template <class Answer>
class SharedAnswers {
  public:
    /// What the API server said.
    struct Said {
        Answer answer;
        bool granted;
        int64_t until_unix_s = std::numeric_limits<int64_t>::max();  ///< not kept past this
    };
    using Ask = std::function<ReviewResult<Said>()>;

    SharedAnswers(const ReviewCacheOptions& options, const Clock& clock)
        : options_(options), clock_(clock), granted_(options.entries_max), denied_(options.entries_max) {}

    /// The kept answer, or that of somebody who asks now, or what `ask` brings. An error goes to all who wait for it
    /// and is not kept.
    ReviewResult<Answer> answer(const Sha256Bytes& key, const Ask& ask) {
        std::promise<ReviewResult<Answer>> promise;
        std::shared_future<ReviewResult<Answer>> theirs;
        {
            const MutexLock lock(mutex_);
            if (auto kept = granted_.find(key, clock_)) return std::move(*kept);
            if (auto kept = denied_.find(key, clock_)) return std::move(*kept);
            if (const auto at = asked_.find(key); at != asked_.end()) theirs = at->second;
            else asked_.emplace(key, promise.get_future().share());
        }
        if (theirs.valid()) return theirs.get();
        try {
            const int64_t began_ns = clock_.monotonic_ns();  // it may be as old as the request
            ReviewResult<Said> said = ask();
            keep(key, said, began_ns);
            if (said) promise.set_value(said->answer);
            else promise.set_value(said.error());
            if (!said) return std::move(said).error();
            return std::move(said->answer);
        } catch (...) {
            keep(key, Unanswered(), 0);
            promise.set_exception(std::current_exception());
            throw;
        }
    }

  private:
    void keep(const Sha256Bytes& key, const ReviewResult<Said>& said, int64_t began_ns) {
        const MutexLock lock(mutex_);
        asked_.erase(key);
        if (!said) return;
        // Two caches: a flood of bad tokens pushes out no good one.
        const uint64_t ms = said->granted ? options_.granted_ms : options_.denied_ms;
        const Lifetime lifetime{began_ns + static_cast<int64_t>(ms) * 1'000'000, said->until_unix_s};
        (said->granted ? granted_ : denied_).put(key, said->answer, lifetime, clock_);
    }

    const ReviewCacheOptions options_;
    const Clock& clock_;
    Mutex mutex_;
    AnswerCache<Answer> granted_ ZCDP_GUARDED_BY(mutex_), denied_ ZCDP_GUARDED_BY(mutex_);
    std::map<Sha256Bytes, std::shared_future<ReviewResult<Answer>>> asked_ ZCDP_GUARDED_BY(mutex_);
};

}  // namespace zcdp::kube
