// Bounds the memory of requests that are under way, on any number of loops: who finds none left waits for his turn.
//
// Thread rule: any thread. Ownership: it outlives its shares.
#pragma once

#include <list>
#include <memory>
#include <utility>

#include "zcdp/base/bell.hpp"
#include "zcdp/base/guarded.hpp"
#include "zcdp/base/tasks.hpp"

namespace zcdp::datastore {

class Budget {
  public:
    explicit Budget(uint64_t bytes) : most_(bytes), free_(bytes) {}

    /// Gives its bytes back at the end of its life.
    class Share {
      public:
        Share() = default;
        Share(Budget& budget, uint64_t bytes) : budget_(&budget), bytes_(bytes) {}
        Share(Share&& other) noexcept : budget_(std::exchange(other.budget_, nullptr)), bytes_(other.bytes_) {}
        Share& operator=(Share&& other) noexcept {
            std::swap(budget_, other.budget_);
            std::swap(bytes_, other.bytes_);
            return *this;
        }
        ~Share() {
            if (budget_) budget_->give_back(bytes_);
        }

      private:
        Budget* budget_ = nullptr;
        uint64_t bytes_ = 0;
    };

    /// In the order in which they were asked for; what is over the whole budget counts as all of it.
    Task<Share> take(uint64_t bytes) {
        bytes = std::min(bytes, most_);
        const Turn turn(*this);
        while (true) {
            const uint64_t seen = changed_.rings();
            if (try_take(turn, bytes)) co_return Share(*this, bytes);
            co_await changed_.wait(seen, kLookAgainMs);
        }
    }

  private:
    static constexpr uint64_t kLookAgainMs = 60'000;  ///< the bell rings before
    /// A place in the queue.
    struct Turn {
        explicit Turn(Budget& of) : budget(of) {
            const MutexLock lock(budget.mutex_);
            place = budget.queue_.insert(budget.queue_.end(), 0);
        }
        ~Turn() {
            {
                const MutexLock lock(budget.mutex_);
                budget.queue_.erase(place);
            }
            budget.changed_.ring();
        }
        Turn(const Turn&) = delete;
        Turn& operator=(const Turn&) = delete;
        Budget& budget;
        std::list<char>::iterator place;
    };
    bool try_take(const Turn& turn, uint64_t bytes) {
        const MutexLock lock(mutex_);
        if (turn.place != queue_.begin() || free_ < bytes) return false;
        free_ -= bytes;
        return true;
    }
    void give_back(uint64_t bytes) {
        {
            const MutexLock lock(mutex_);
            free_ += bytes;
        }
        changed_.ring();
    }

    const uint64_t most_;
    Mutex mutex_;
    Bell changed_;
    uint64_t free_ ZCDP_GUARDED_BY(mutex_);
    std::list<char> queue_ ZCDP_GUARDED_BY(mutex_);
};

}  // namespace zcdp::datastore
