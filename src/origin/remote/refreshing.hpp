// Credentials that end and are fetched again before they do: one fetch at a time, whoever asks, and its failure is
// everybody's who waited; those that still hold are used while it runs or when it fails. Short-lived ones are used to
// their end, not asked for with each request. Thread rule: any loop; the lock is never held across a wait.
#pragma once

#include <mutex>
#include <optional>

#include "zcdp/base/clock.hpp"
#include "zcdp/base/error.hpp"
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
        const std::scoped_lock lock(mutex_);
        current_ = std::move(value);
    }
    std::optional<T> current() const {
        const std::scoped_lock lock(mutex_);
        return current_;
    }
    /// The server refused the ones with this id: the next get() fetches.
    void drop(const std::string& id) {
        const std::scoped_lock lock(mutex_);
        if (current_ && current_->id() == id) current_.reset();
    }
    /// Whether a fetch has ever succeeded.
    bool has_given() const {
        const std::scoped_lock lock(mutex_);
        return has_given_;
    }
    /// `fetch`: a callable that returns Task<Result<T>>; it must live until the task ends.
    template <class Fetch>
    Task<Result<T>> get(const Clock& clock, int64_t clock_skew_s, Fetch& fetch) {
        for (std::optional<uint64_t> failures_before;;) {
            {
                const std::scoped_lock lock(mutex_);
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
        const std::scoped_lock lock(mutex_);
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
        log_.warn("credentials could not be refreshed yet", {{"why", fetched.error().line()}});
        co_return *current_;
    }

  private:
    /// They are refreshed some minutes before their end, but not again and again within those; after it nobody uses
    /// them, but where they came ended: then the server, whose clock may be another, has a say.
    bool will_do(int64_t now) const {
        if (current_->expires_unix_s == 0 || now + refresh_before_s_ < current_->expires_unix_s) return true;
        return (refreshing_ || now < next_fetch_unix_s_) &&
               (now < current_->expires_unix_s || (ended_at_once_ && !refreshing_));
    }

    static constexpr int64_t kPauseS = 10;
    Logger& log_;
    const int64_t refresh_before_s_;
    mutable std::mutex mutex_;
    std::optional<T> current_;
    bool refreshing_ = false, has_given_ = false, ended_at_once_ = false;
    int64_t next_fetch_unix_s_ = 0;
    uint64_t failures_ = 0;
    Error failure_;
};

}  // namespace zcdp::origin
