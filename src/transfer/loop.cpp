#include "zcdp/transfer/loop.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/system/system_error.hpp>

#include "zcdp/base/assert.hpp"

namespace zcdp::transfer {
namespace {

constexpr uint64_t kCancelEveryMs = 50;

bool is_cancellation(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const boost::system::system_error& thrown) {
        return thrown.code() == asio::error::operation_aborted;
    } catch (...) {
        return false;
    }
}

}  // namespace

void Loop::spawn(Task<> task, bool cancellable) {
    ++running_;
    if (!cancellable) {
        asio::co_spawn(context_, std::move(task), [this](std::exception_ptr error) { ended(error); });
        return;
    }
    auto& signal = signals_.emplace_back();
    asio::co_spawn(context_, std::move(task),
                   asio::bind_cancellation_slot(signal.slot(), [this](std::exception_ptr error) { ended(error); }));
}

void Loop::ended(std::exception_ptr error) {
    if (error && !error_ && !(cancelled_ && is_cancellation(error))) error_ = error;
    ZCDP_ASSERT(running_ > 0);
    // What the tasks used may keep timers of its own on the loop; they end with it.
    if (--running_ == 0) context_.stop();
}

Task<> Loop::cancel_all() {
    cancelled_ = true;
    // Again and again: a task that was on a pool when the first signal came must hear of it too.
    while (true) {
        for (auto& signal : signals_) signal.emit(asio::cancellation_type::terminal);
        co_await sleep_ms(kCancelEveryMs);
    }
}

void Loop::run(std::stop_token stop) {
    if (running_ == 0) return;
    const auto until_ended = asio::make_work_guard(context_);
    // Posted: whoever stops may be a task of this loop.
    const std::stop_callback on_stop(std::move(stop), [this] {
        asio::post(context_, [this] { asio::co_spawn(context_, cancel_all(), [](std::exception_ptr) {}); });
    });
    context_.run();
    if (error_) std::rethrow_exception(error_);
}

}  // namespace zcdp::transfer
