// Credentials that end and are fetched again before they do: one fetch at a time, whoever asks; those that still hold are
// used while it runs or when it fails. Thread rule: any loop; the lock is never held across a wait.
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
    /// `fetch`: a callable that returns Task<Result<T>>; it must live until the task ends.
    template <class Fetch>
    Task<Result<T>> get(const Clock& clock, int64_t clock_skew_s, Fetch& fetch) {
        while (true) {
            {
                const std::scoped_lock lock(mutex_);
                const int64_t now = clock.unix_s() + clock_skew_s;
                const bool lasts = current_ && (current_->expires_unix_s == 0 || now + refresh_before_s_ < current_->expires_unix_s);
                if (lasts) co_return *current_;
                // Somebody is at it already: the present ones will do until they really end.
                if (refreshing_ && current_ && now < current_->expires_unix_s) co_return *current_;
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
        if (fetched) {
            current_ = *fetched;
        } else if (current_ && clock.unix_s() + clock_skew_s < current_->expires_unix_s) {
            log_.warn("credentials could not be refreshed yet", {{"why", fetched.error().what()}});
            co_return *current_;
        }
        co_return fetched;
    }

  private:
    Logger& log_;
    const int64_t refresh_before_s_;
    mutable std::mutex mutex_;
    std::optional<T> current_;
    bool refreshing_ = false;
};

}  // namespace zcdp::origin
