#include "zcdp/transfer/hash_together.hpp"

#include <boost/asio/redirect_error.hpp>

#include "zcdp/base/assert.hpp"

namespace zcdp::transfer {
namespace {

/// A filled piece waits for others to be hashed with it. When no other has come within this time all that wait are
/// hashed. A fast link fills a piece in less, so where waiting pays it does not end this way.
constexpr auto kPatience = std::chrono::milliseconds(2);

}  // namespace

void HashTogether::hash_all() {
    std::vector<HashUpdate> updates;
    for (const Waiter* waiter : waiting_) updates.push_back(waiter->what);
    update_together(updates);
    for (Waiter* waiter : waiting_) {
        waiter->done = true;
        waiter->timer.cancel();
    }
    waiting_.clear();
}

void HashTogether::left() {
    ZCDP_ASSERT(members_ > 0);
    --members_;
    if (!waiting_.empty() && waiting_.size() >= members_) hash_all();
}

Task<> HashTogether::update(Sha256& hash, std::span<const std::byte> bytes) {
    if (waiting_.size() + 1 >= std::min(hashes_at_once(members_), members_)) {
        Waiter last{{&hash, bytes}, asio::steady_timer(executor_), false};
        waiting_.push_back(&last);
        hash_all();
        co_return;
    }
    Waiter waiter{{&hash, bytes}, asio::steady_timer(executor_), false};
    waiting_.push_back(&waiter);
    boost::system::error_code ignored;
    std::exception_ptr cancelled;
    try {
        for (size_t were = 0; !waiter.done && were != waiting_.size();) {
            were = waiting_.size();
            waiter.timer.expires_after(kPatience);
            co_await waiter.timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
        }
    } catch (...) {
        cancelled = std::current_exception();
    }
    if (!waiter.done && cancelled) std::erase(waiting_, &waiter);
    else if (!waiter.done) hash_all();
    if (cancelled) std::rethrow_exception(cancelled);
}

}  // namespace zcdp::transfer
