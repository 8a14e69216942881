// How work is told to stop: std::stop_source asks, std::stop_token is asked, and whoever sleeps is woken.
//
// The standard's type does the job: std::jthread hands it out, std::condition_variable_any waits with it,
// std::stop_callback runs a hook, a copy costs a counter, and a token outlives its source. Here is what it lacks.
// A source must not be used in a signal handler: modes/signals.hpp hands signals over to a thread.
//
// Thread rule: any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>

#include "zcdp/base/fs.hpp"

namespace zcdp {

/// Sleeps for so many milliseconds, or until stopped: at once when it was before. Returns whether it is stopped.
bool wait_for_stop(const std::stop_token& stop, uint64_t ms);

/// A descriptor that poll(2) and epoll find readable once stopped, for loops that wait for descriptors.
class StopFd {
  public:
    explicit StopFd(std::stop_token stop);
    StopFd(const StopFd&) = delete;
    StopFd& operator=(const StopFd&) = delete;
    /// An eventfd, owned by this; not to be read from.
    int get() const { return event_.get(); }

  private:
    Fd event_;
    std::optional<std::stop_callback<std::function<void()>>> on_stop_;
};

}  // namespace zcdp
