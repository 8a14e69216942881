#include "src/sync/fetch/committer.hpp"

#include <chrono>

namespace zcdp::sync {
namespace {

// A batch is worth its barrier from some thousand files on; the time bounds what a kill -9 costs.
constexpr size_t kBatchRows = 4096;
constexpr uint64_t kBatchBytes = 512ull << 20;
constexpr auto kBatchTime = std::chrono::seconds(2);
constexpr size_t kRowsWaitingMax = 4 * kBatchRows;

}  // namespace

Committer::~Committer() {
    if (thread_.joinable()) (void)finish();
}

void Committer::start() {
    thread_ = std::thread([this] { work(); });
}

bool Committer::due() const { return ending_ || rows_.size() >= kBatchRows || bytes_ >= kBatchBytes; }

void Committer::add(store::TagRow row) {
    std::unique_lock lock(mutex_);
    room_.wait(lock, [this] { return rows_.size() < kRowsWaitingMax || error_; });
    if (error_) return;
    bytes_ += row.size_bytes;
    rows_.push_back(std::move(row));
    if (due()) wake_.notify_one();
}

void Committer::work() {
    std::unique_lock lock(mutex_);
    while (true) {
        wake_.wait_for(lock, kBatchTime, [this] { return due(); });
        if (rows_.empty() && !ending_) continue;
        const bool last = ending_;
        std::vector<store::TagRow> batch = std::move(rows_);
        rows_.clear();
        bytes_ = 0;
        room_.notify_all();
        lock.unlock();
        Result<> done = batch.empty() ? Result<>() : incoming_.commit(scope_, batch);
        lock.lock();
        if (!done && !error_) error_ = std::move(done).error();
        if (error_) room_.notify_all();
        if (last || error_) return;
    }
}

Result<> Committer::finish() {
    {
        const std::scoped_lock lock(mutex_);
        ending_ = true;
    }
    wake_.notify_one();
    if (thread_.joinable()) thread_.join();
    if (error_) return *error_;
    return {};
}

bool Committer::failed() const {
    const std::scoped_lock lock(mutex_);
    return error_.has_value();
}

}  // namespace zcdp::sync
