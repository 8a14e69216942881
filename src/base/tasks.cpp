#include "zcdp/base/tasks.hpp"

#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>

#include "zcdp/base/assert.hpp"

namespace zcdp {

uint64_t Deadline::left_ms() const {
    const auto now = clock::now();
    if (now >= at_) return 0;
    return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(at_ - now).count());
}

// A task that still runs would come back to a group that is gone.
TaskGroup::~TaskGroup() { ZCDP_ASSERT(running_ == 0); }

void TaskGroup::spawn(Task<> task) {
    ++running_;
    asio::co_spawn(executor_, std::move(task), [this](std::exception_ptr error) { finished(error); });
}

void TaskGroup::finished(std::exception_ptr error) {
    ZCDP_ASSERT(running_ > 0);
    if (error && !error_) error_ = error;
    if (--running_ == 0) done_.cancel();
}

Task<> TaskGroup::wait() {
    // A cancelled waiter still waits: its tasks use what it owns. They are cancelled by whoever cancelled it.
    const bool throws = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    while (running_ > 0) {
        done_.expires_at(asio::steady_timer::time_point::max());
        boost::system::error_code ignored;
        co_await done_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
        // The waiter itself was cancelled: without this each further wait would return at once and spin.
        if (running_ > 0) co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    }
    co_await asio::this_coro::throw_if_cancelled(throws);
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
}

bool Semaphore::try_acquire(uint64_t units) {
    if (!waiters_.empty() || free_ < units) return false;
    free_ -= units;
    return true;
}

Task<> Semaphore::acquire(uint64_t units) {
    ZCDP_ASSERT(units <= units_);  // nobody would ever be served again
    if (try_acquire(units)) co_return;
    auto waiter = std::make_shared<Waiter>(Waiter{units, asio::steady_timer(executor_), false});
    waiter->timer.expires_at(asio::steady_timer::time_point::max());
    waiters_.push_back(waiter);
    boost::system::error_code code;
    std::exception_ptr cancelled;
    try {
        co_await waiter->timer.async_wait(asio::redirect_error(asio::use_awaitable, code));
    } catch (...) {
        cancelled = std::current_exception();
    }
    if (waiter->granted && !cancelled) co_return;
    // Cancelled: give back what may just have been granted, or leave the queue.
    if (waiter->granted) release(units);
    else std::erase(waiters_, waiter);
    if (cancelled) std::rethrow_exception(cancelled);
    throw boost::system::system_error(asio::error::operation_aborted);
}

void Semaphore::release(uint64_t units) {
    ZCDP_ASSERT(units <= units_ - free_);  // given back twice
    free_ += units;
    while (!waiters_.empty() && free_ >= waiters_.front()->units) {
        const auto waiter = waiters_.front();
        waiters_.pop_front();
        free_ -= waiter->units;
        waiter->granted = true;
        waiter->timer.cancel();
    }
}

Task<> sleep_ms(uint64_t ms) {
    asio::steady_timer timer(co_await asio::this_coro::executor, std::chrono::milliseconds(ms));
    co_await timer.async_wait(asio::use_awaitable);
}

}  // namespace zcdp
