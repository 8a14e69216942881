#include "zcdp/base/stop.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <system_error>

#include "zcdp/base/guarded.hpp"

namespace zcdp {

bool wait_for_stop(const std::stop_token& stop, uint64_t ms) {
    Mutex mutex;
    std::condition_variable_any wake;
    const MutexLock lock(mutex);
    wake.wait_for(mutex, stop, std::chrono::milliseconds(ms), [] { return false; });
    return stop.stop_requested();
}

StopFd::StopFd(std::stop_token stop) : event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!event_) throw std::system_error(errno, std::system_category(), "eventfd");
    on_stop_.emplace(std::move(stop), [this] {
        const uint64_t one = 1;
        (void)!::write(event_.get(), &one, sizeof one);  // a counter at its limit is readable as well
    });
}

}  // namespace zcdp
