#include "zcdp/kube/work_queue.hpp"

#include <algorithm>

namespace zcdp::kube {
namespace {

constexpr BackoffLimits kFailures{200, 60'000, Jitter::around};
constexpr auto kLookAgain = std::chrono::milliseconds(60'000);

}  // namespace

void WorkQueue::add(const std::string& key, uint64_t delay_ms) {
    const MutexLock lock(mutex_);
    const int64_t due = now_ms() + static_cast<int64_t>(delay_ms);
    const auto [at, fresh] = due_ms_.try_emplace(key, due);
    if (!fresh) {
        if (at->second <= due) return;
        order_.erase({at->second, key});
        at->second = due;
    }
    order_.emplace(due, key);
    ++changes_;
    wake_.notify_one();
}

void WorkQueue::add_after_failure(const std::string& key) {
    uint64_t pause_ms;
    {
        const MutexLock lock(mutex_);
        pause_ms = failures_.try_emplace(key, kFailures).first->second.next(random_);
    }
    add(key, pause_ms);
}

void WorkQueue::succeeded(const std::string& key) {
    const MutexLock lock(mutex_);
    failures_.erase(key);
}

std::optional<std::string> WorkQueue::take_locked() {
    for (auto at = order_.begin(); at != order_.end() && at->first <= now_ms(); ++at) {
        if (taken_.contains(at->second)) continue;
        std::string key = at->second;
        due_ms_.erase(key);
        order_.erase(at);
        taken_.insert(key);
        return key;
    }
    return std::nullopt;
}

std::optional<std::string> WorkQueue::try_take() {
    const MutexLock lock(mutex_);
    return take_locked();
}

std::optional<std::string> WorkQueue::take(std::stop_token stop) {
    const MutexLock lock(mutex_);
    while (!stop.stop_requested()) {
        if (auto key = take_locked()) return key;
        auto pause = kLookAgain;
        for (const auto& [due, key] : order_)
            if (!taken_.contains(key)) {
                pause = std::min(pause, std::chrono::milliseconds(std::max<int64_t>(1, due - now_ms())));
                break;
            }
        wake_.wait_for(mutex_, stop, pause,
                       [this, before = changes_]() ZCDP_REQUIRES(mutex_) { return changes_ != before; });
    }
    return std::nullopt;
}

void WorkQueue::done(const std::string& key) {
    const MutexLock lock(mutex_);
    taken_.erase(key);
    ++changes_;
    wake_.notify_one();
}

std::optional<uint64_t> WorkQueue::next_due_ms() const {
    const MutexLock lock(mutex_);
    if (order_.empty()) return std::nullopt;
    return static_cast<uint64_t>(std::max<int64_t>(0, order_.begin()->first - now_ms()));
}

size_t WorkQueue::depth() const {
    const MutexLock lock(mutex_);
    return order_.size();
}

void WorkQueue::clear() {
    const MutexLock lock(mutex_);
    due_ms_.clear(), order_.clear(), failures_.clear();
}

}  // namespace zcdp::kube
