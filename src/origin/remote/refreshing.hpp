// Credentials that expire, and are fetched again some minutes before. At most one fetch runs; whoever needs its result
// waits, and gets its error if it fails. As long as the present ones are valid they are used meanwhile, and also after
// a failed fetch. Ones that live shorter than those minutes are used until they expire: else each request would fetch.
// Thread rule: any loop; the lock is never held across a wait.
#pragma once

#include <optional>

#include "zcdp/base/clock.hpp"
#include "zcdp/base/error.hpp"
#include "zcdp/base/guarded.hpp"
#include "zcdp/base/log.hpp"
#include "zcdp/base/tasks.hpp"

namespace zcdp::origin {

/// T has `int64_t expires_unix_s` (0: never) and `std::string id()`.
template <class T>
class Refreshing {
  public:
    /// They are fetched again when less than `refresh_before_s` is left of them.
    explicit Refreshing(Logger& log, int64_t refresh_before_s = 300) : log_(log), refresh_before_s_(refresh_before_s) {}

    void set(T value) {
        const MutexLock lock(mutex_);
        current_ = std::move(value);
    }
    std::optional<T> current() const {
        const MutexLock lock(mutex_);
        return current_;
    }
    /// The server refused the ones with this id: the next get() fetches.
    void drop(const std::string& id) {
        const MutexLock lock(mutex_);
        if (current_ && current_->id() == id) current_.reset();
    }
    /// Whether a fetch has ever succeeded.
    bool has_given() const {
        const MutexLock lock(mutex_);
        return has_given_;
    }
    /// `fetch`: a callable that returns Task<Result<T>>; it must live until the task ends.
    template <class Fetch>
    Task<Result<T>> get(const Clock& clock, int64_t clock_skew_s, Fetch& fetch) {
        for (std::optional<uint64_t> failures_before;;) {
            {
                const MutexLock lock(mutex_);
                const int64_t now = clock.unix_s() + clock_skew_s;
                if (current_ && will_do(now)) co_return *current_;
                if (failures_before && *failures_before != failures_) co_return failure_;
                failures_before = failures_;
                if (!refreshing_) {
                    refreshing_ = true;
                    break;
                }
            }
            co_await sleep_ms(20);
        }
        Result<T> fetched = Error();
        std::exception_ptr thrown;
        try {
            fetched = co_await fetch();
        } catch (...) {
            thrown = std::current_exception();
        }
        const MutexLock lock(mutex_);
        refreshing_ = false;
        if (thrown) std::rethrow_exception(thrown);
        const int64_t now = clock.unix_s() + clock_skew_s;
        if (fetched) {
            current_ = *fetched;
            has_given_ = true;
            ended_at_once_ = current_->expires_unix_s != 0 && current_->expires_unix_s <= now;
            if (ended_at_once_) log_.warn("the credentials handed out have ended already, by this machine's clock", {});
        } else {
            failure_ = fetched.error();
            ++failures_;
        }
        next_fetch_unix_s_ = now + kPauseS;
        if (fetched || !current_ || now >= current_->expires_unix_s) co_return fetched;
        log_.warn("credentials could not be refreshed yet", {{"error", fetched.error().line()}});
        co_return *current_;
    }

  private:
    /// Whether the present ones can be used without a fetch. Yes, while more than `refresh_before_s` is left of them.
    /// With less left: while a fetch runs, or within kPauseS after one, as long as they are valid. After their end:
    /// only if they had ended already when they came and no fetch runs. Then this machine's clock may be wrong, and the
    /// server decides.
    bool will_do(int64_t now) const ZCDP_REQUIRES(mutex_) {
        if (current_->expires_unix_s == 0 || now + refresh_before_s_ < current_->expires_unix_s) return true;
        return (refreshing_ || now < next_fetch_unix_s_) &&
               (now < current_->expires_unix_s || (ended_at_once_ && !refreshing_));
    }

    static constexpr int64_t kPauseS = 10;
    Logger& log_;
    const int64_t refresh_before_s_;
    mutable Mutex mutex_;
    std::optional<T> current_ ZCDP_GUARDED_BY(mutex_);
    bool refreshing_ ZCDP_GUARDED_BY(mutex_) = false, has_given_ ZCDP_GUARDED_BY(mutex_) = false;
    bool ended_at_once_ ZCDP_GUARDED_BY(mutex_) = false;
    int64_t next_fetch_unix_s_ ZCDP_GUARDED_BY(mutex_) = 0;
    uint64_t failures_ ZCDP_GUARDED_BY(mutex_) = 0;
    Error failure_ ZCDP_GUARDED_BY(mutex_);
};

}  // namespace zcdp::origin
