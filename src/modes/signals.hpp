// Ctrl-C: the first SIGINT or SIGTERM sets Stop; if the work has not ended two seconds later, or at a second signal,
// the process exits with 130 as it is (the store is made for that).
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace zcdp::modes {

class StopOnSignal {
  public:
    explicit StopOnSignal(std::atomic<bool>& stop);
    ~StopOnSignal();

  private:
    void wait_for_signals();
    std::atomic<bool>& stop_;
    int event_ = -1, signals_ = -1;
    std::thread thread_;
};

/// Credentials are in memory: no core file, and no other process of this user may attach.
void forbid_core_files();
/// The soft limit of open files up to the hard one, at most 65,536: connections and staged files need some thousands.
void raise_open_files();

}  // namespace zcdp::modes
