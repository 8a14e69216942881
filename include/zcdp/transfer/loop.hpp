// A network loop: one thread, one io_context, and the tasks on it, which are cancelled as one when the sync stops.
#pragma once

#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>
#include <exception>
#include <list>
#include <stop_token>

#include "zcdp/base/tasks.hpp"

namespace zcdp::transfer {

class Loop {
  public:
    Loop() : context_(1) {}
    asio::any_io_executor executor() { return context_.get_executor(); }

    /// Before run(), or from a task on this loop. A task that is not cancellable is left to end by itself.
    void spawn(Task<> task, bool cancellable = true);
    /// Runs until every task has ended. Once stopped, from any thread, the tasks' awaits are cancelled. The first
    /// exception that is not that cancellation is thrown.
    void run(std::stop_token stop);

  private:
    Task<> cancel_all();
    void ended(std::exception_ptr error);
    asio::io_context context_;
    std::list<asio::cancellation_signal> signals_;
    size_t running_ = 0;
    bool cancelled_ = false;
    std::exception_ptr error_;
};

}  // namespace zcdp::transfer
