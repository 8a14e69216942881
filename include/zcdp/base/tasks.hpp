// Coroutine habits in one place: groups that are waited for, work that blocks, deadlines, limits.
//
// Thread rule: one thread per io_context; everything here belongs to the loop it was made with, but Pool::post, which
// any thread may call.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <coroutine>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace zcdp {

namespace asio = boost::asio;
template <class T = void>
using Task = asio::awaitable<T>;

/// The instant by which a call must be over; it only ever shrinks on its way down.
class Deadline {
  public:
    using clock = std::chrono::steady_clock;
    static Deadline never() { return Deadline(clock::time_point::max()); }
    static Deadline in_ms(uint64_t ms) { return Deadline(clock::now() + std::chrono::milliseconds(ms)); }
    Deadline min(Deadline other) const { return Deadline(at_ < other.at_ ? at_ : other.at_); }
    clock::time_point at() const { return at_; }
    bool passed() const { return clock::now() >= at_; }
    /// 0 when it has passed.
    uint64_t left_ms() const;

  private:
    explicit Deadline(clock::time_point at) : at_(at) {}
    clock::time_point at_;
};

/// A set of spawned coroutines that is waited for. An exception that leaves a task is kept and thrown by wait().
/// Contract: wait() must have returned before the group is destroyed (checked).
class TaskGroup {
  public:
    explicit TaskGroup(asio::any_io_executor executor) : executor_(executor), done_(executor) {}
    TaskGroup(const TaskGroup&) = delete;
    TaskGroup& operator=(const TaskGroup&) = delete;
    ~TaskGroup();

    void spawn(Task<> task);
    size_t size() const { return running_; }
    /// Returns when no task runs any more; rethrows the first exception.
    Task<> wait();

  private:
    void finished(std::exception_ptr error);
    asio::any_io_executor executor_;
    asio::steady_timer done_;
    size_t running_ = 0;
    std::exception_ptr error_;
};

/// A counting semaphore of one loop; waiters are served in order. Units are the caller's (requests, bytes).
class Semaphore {
  public:
    Semaphore(asio::any_io_executor executor, uint64_t units) : executor_(executor), free_(units) {}
    Task<> acquire(uint64_t units = 1);
    bool try_acquire(uint64_t units = 1);
    void release(uint64_t units = 1);
    uint64_t available() const { return free_; }

  private:
    struct Waiter {
        uint64_t units;
        asio::steady_timer timer;
        bool granted = false;
    };
    asio::any_io_executor executor_;
    uint64_t free_;
    std::deque<std::shared_ptr<Waiter>> waiters_;
};

/// Runs `work` (blocking; returns a value or throws) on `pool`, resumes on the calling loop. A running job cannot be
/// cancelled: long ones look at a stop flag of their own.
template <class F>
Task<std::invoke_result_t<F&>> offload(asio::thread_pool& pool, F work) {
    using T = std::invoke_result_t<F&>;
    auto home = co_await asio::this_coro::executor;
    // A cancellation that comes now must not throw on the pool's thread: it waits until the coroutine is home.
    const bool throws = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    co_await asio::post(asio::bind_executor(pool.get_executor(), asio::use_awaitable));
    // On the pool now: an exception must travel home before it is thrown.
    std::exception_ptr error;
    if constexpr (std::is_void_v<T>) {
        try {
            work();
        } catch (...) {
            error = std::current_exception();
        }
        co_await asio::post(asio::bind_executor(home, asio::use_awaitable));
        co_await asio::this_coro::throw_if_cancelled(throws);
        if (error) std::rethrow_exception(error);
    } else {
        std::optional<T> value;
        try {
            value.emplace(work());
        } catch (...) {
            error = std::current_exception();
        }
        co_await asio::post(asio::bind_executor(home, asio::use_awaitable));
        co_await asio::this_coro::throw_if_cancelled(throws);
        if (error) std::rethrow_exception(error);
        co_return std::move(*value);
    }
}

/// Sleeps on the calling loop.
Task<> sleep_ms(uint64_t ms);

}  // namespace zcdp
