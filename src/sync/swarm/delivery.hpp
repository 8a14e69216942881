// A value that some thread brings to a coroutine which waits for it on its loop.
// Thread rule: deliver() from any thread, once; wait() on the loop, once. Ownership: copies share the value; the loop
// outlives whoever delivers.
#pragma once

#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/system/system_error.hpp>
#include <memory>
#include <optional>
#include <utility>

#include "zcdp/base/tasks.hpp"

namespace zcdp::sync {

template <class T>
class Delivery {
  public:
    explicit Delivery(asio::any_io_executor executor) : state_(std::make_shared<State>(std::move(executor))) {}

    void deliver(T value) const {
        asio::post(state_->timer.get_executor(), [state = state_, value = std::move(value)]() mutable {
            state->value = std::move(value);
            state->timer.cancel();
        });
    }

    Task<T> wait() const {
        const auto state = state_;
        boost::system::error_code woken;
        if (!state->value) co_await state->timer.async_wait(asio::redirect_error(asio::use_awaitable, woken));
        if (!state->value)
            throw boost::system::system_error(asio::error::operation_aborted);  // the waiter was cancelled
        co_return std::move(*state->value);
    }

  private:
    struct State {
        explicit State(asio::any_io_executor executor)
            : timer(std::move(executor), asio::steady_timer::time_point::max()) {}
        asio::steady_timer timer;
        std::optional<T> value;
    };
    std::shared_ptr<State> state_;
};

}  // namespace zcdp::sync
