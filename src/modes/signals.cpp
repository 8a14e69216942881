#include "src/modes/signals.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>

namespace zcdp::modes {
namespace {

constexpr int kPatienceMs = 1800;
constexpr int kInterrupted = 130;
constexpr rlim_t kOpenFiles = 65536;

sigset_t ending_signals() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    return set;
}

}  // namespace

StopOnSignal::StopOnSignal() {
    ::signal(SIGPIPE, SIG_IGN);  // a peer that has gone is an error of the write, also for sendfile and OpenSSL
    ::signal(SIGXFSZ, SIG_IGN);  // a file over the limit (ulimit -f) is an error of the write, too
    const sigset_t set = ending_signals();
    ::pthread_sigmask(SIG_BLOCK, &set, nullptr);  // before any other thread is made: they inherit it
    signals_ = ::signalfd(-1, &set, SFD_CLOEXEC);
    event_ = ::eventfd(0, EFD_CLOEXEC);
    thread_ = std::thread([this] { wait_for_signals(); });
}

StopOnSignal::~StopOnSignal() {
    const uint64_t one = 1;
    if (::write(event_, &one, sizeof one) == sizeof one) thread_.join();
    else thread_.detach();
    ::close(signals_);
    ::close(event_);
}

void StopOnSignal::wait_for_signals() {
    pollfd fds[2] = {{signals_, POLLIN, 0}, {event_, POLLIN, 0}};
    while (true) {
        const int ready = ::poll(fds, 2, stop_.stop_requested() ? kPatienceMs : -1);
        if (fds[1].revents != 0) return;
        if (ready < 0) continue;
        if (ready == 0 || stop_.stop_requested()) ::_exit(kInterrupted);
        signalfd_siginfo info;
        if (::read(signals_, &info, sizeof info) != sizeof info) return;
        stop_.request_stop();
    }
}

void raise_open_files() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = std::max(limit.rlim_cur, std::min(limit.rlim_max, kOpenFiles));
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

void forbid_core_files() {
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none);
    ::prctl(PR_SET_DUMPABLE, 0);
}

}  // namespace zcdp::modes
