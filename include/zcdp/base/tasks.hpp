// Coroutine habits in one place: groups that are waited for, work that blocks, deadlines, limits.
//
// Thread rule: one thread per io_context; everything here belongs to the loop it was made with, but Pool::post, which
// any thread may call.
#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
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
#include <thread>
#include <type_traits>
#include <utility>

namespace zcdp {

namespace asio = boost::asio;
template <class T = void>
using Task = asio::awaitable<T>;

/// The instant by which a call must be over; it only ever shrinks on its way down. A timer of the loop, in the
/// machine's time: it ends a wait. What is decided by how much time went by asks the injected Clock.
class Deadline {
  public:
    static Deadline never() { return Deadline(clock::time_point::max()); }
    static Deadline in_ms(uint64_t ms) { return Deadline(clock::now() + std::chrono::milliseconds(ms)); }
    Deadline min(Deadline other) const { return Deadline(at_ < other.at_ ? at_ : other.at_); }
    std::chrono::steady_clock::time_point at() const { return at_; }
    bool passed() const { return clock::now() >= at_; }
    /// 0 when it has passed.
    uint64_t left_ms() const;

  private:
    using clock = std::chrono::steady_clock;
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

/// A counting semaphore of one loop; waiters are served in order. Units are the caller's (requests, bytes). Contract:
/// nobody asks for more than there are, nor gives back more than was taken (checked).
class Semaphore {
  public:
    Semaphore(asio::any_io_executor executor, uint64_t units) : executor_(executor), units_(units), free_(units) {}
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
    const uint64_t units_;
    uint64_t free_;
    std::deque<std::shared_ptr<Waiter>> waiters_;
};

/// Counts the jobs that offload() has on other threads for one io_context, and keeps that alive until they are through:
/// a job's last act is to post to it, and the post may still be at work when its handler has ended the loop.
class OffloadGate final : public asio::execution_context::service {
  public:
    using key_type = OffloadGate;
    inline static asio::execution_context::id id;
    explicit OffloadGate(asio::execution_context& owner) : service(owner) {}
    void enter() { jobs_.fetch_add(1, std::memory_order_relaxed); }
    void leave() { jobs_.fetch_sub(1, std::memory_order_release); }

  private:
    void shutdown() noexcept override {
        while (jobs_.load(std::memory_order_acquire) > 0) std::this_thread::yield();
    }
    std::atomic<size_t> jobs_{0};
};

/// Runs `work` (blocking; returns a value or throws) on `pool`, resumes on the calling loop. A running job cannot be
/// cancelled: long ones look at a stop flag of their own. The coroutine itself never leaves its loop, so a cancellation
/// that comes meanwhile is noted there, and acts at the next await.
template <class F>
Task<std::invoke_result_t<F&>> offload(asio::thread_pool& pool, F work) {
    using T = std::invoke_result_t<F&>;
    using Value = std::conditional_t<std::is_void_v<T>, bool, T>;
    struct Outcome {
        std::optional<Value> value;
        std::exception_ptr error;
    } outcome;
    auto home = co_await asio::this_coro::executor;
    auto start = [](auto handler, asio::thread_pool* threads, asio::any_io_executor loop, F* job, Outcome* result) {
        auto& gate = asio::use_service<OffloadGate>(asio::query(loop, asio::execution::context));
        auto alive = asio::prefer(loop, asio::execution::outstanding_work.tracked);
        gate.enter();
        asio::post(*threads, [handler = std::move(handler), alive = std::move(alive), job, result, &gate]() mutable {
            try {
                if constexpr (std::is_void_v<T>) {
                    (*job)();
                    result->value.emplace(true);
                } else {
                    result->value.emplace((*job)());
                }
            } catch (...) {
                result->error = std::current_exception();
            }
            asio::post(alive, std::move(handler));
            alive = {};
            gate.leave();
        });
    };
    co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(start, asio::use_awaitable, &pool, home, &work,
                                                                         &outcome);
    if (outcome.error) std::rethrow_exception(outcome.error);
    if constexpr (!std::is_void_v<T>) co_return std::move(*outcome.value);
}

/// Sleeps on the calling loop.
Task<> sleep_ms(uint64_t ms);

}  // namespace zcdp
