// Wakes coroutines of any number of loops at once, for what changes under somebody's lock.
//
//   const uint64_t seen = bell.rings();
//   if (look at what is waited for) ...; else co_await bell.wait(seen, ms);
//
// Thread rule: any thread. Ownership: it outlives who waits.
#pragma once

#include <boost/asio/redirect_error.hpp>
#include <list>
#include <memory>

#include "zcdp/base/guarded.hpp"
#include "zcdp/base/tasks.hpp"

namespace zcdp {

class Bell {
  public:
    uint64_t rings() const {
        const MutexLock lock(mutex_);
        return rings_;
    }

    void ring() {
        const MutexLock lock(mutex_);
        ++rings_;
        // Under the lock, so that who leaves, and its loop with it, waits for this.
        for (const Timer& timer : waiting_) asio::post(timer->get_executor(), [timer] { timer->cancel(); });
        waiting_.clear();
    }

    /// Until it has rung since it had rung `seen` times, or `most_ms` are over.
    Task<> wait(uint64_t seen, uint64_t most_ms) {
        const auto timer = std::make_shared<asio::steady_timer>(co_await asio::this_coro::executor,
                                                                std::chrono::milliseconds(most_ms));
        const Entered entered(*this, timer, seen);
        if (!entered.is_waiting) co_return;
        boost::system::error_code rung;
        co_await timer->async_wait(asio::redirect_error(asio::use_awaitable, rung));
    }

  private:
    using Timer = std::shared_ptr<asio::steady_timer>;
    struct Entered {
        Entered(Bell& of, const Timer& timer, uint64_t seen) : bell(of), mine(timer) {
            const MutexLock lock(bell.mutex_);
            is_waiting = bell.rings_ == seen;
            if (is_waiting) bell.waiting_.push_back(timer);
        }
        ~Entered() {
            const MutexLock lock(bell.mutex_);
            bell.waiting_.remove(mine);
        }
        Entered(const Entered&) = delete;
        Entered& operator=(const Entered&) = delete;
        Bell& bell;
        const Timer& mine;
        bool is_waiting;
    };

    mutable Mutex mutex_;
    uint64_t rings_ ZCDP_GUARDED_BY(mutex_) = 0;
    std::list<Timer> waiting_ ZCDP_GUARDED_BY(mutex_);
};

}  // namespace zcdp
