// Ctrl-C: the first SIGINT or SIGTERM asks the work to stop, and wakes whoever sleeps (base/stop.hpp); if it has not
// ended two seconds later, or at a second signal, the process exits with 130 as it is (the store is made for that).
#pragma once

#include <stop_token>
#include <thread>

namespace zcdp::modes {

class StopOnSignal {
  public:
    StopOnSignal();
    ~StopOnSignal();
    StopOnSignal(const StopOnSignal&) = delete;
    StopOnSignal& operator=(const StopOnSignal&) = delete;
    std::stop_token token() const { return stop_.get_token(); }

  private:
    void wait_for_signals();
    std::stop_source stop_;
    int event_ = -1, signals_ = -1;
    std::thread thread_;
};

/// Credentials are in memory: no core file, and no other process of this user may attach.
void forbid_core_files();
/// The soft limit of open files up to the hard one, at most 65,536: connections and staged files need some thousands.
void raise_open_files();

}  // namespace zcdp::modes
