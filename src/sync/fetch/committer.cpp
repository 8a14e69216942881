#include "src/sync/fetch/committer.hpp"

#include <chrono>

namespace zcdp::sync {
namespace {

// A batch is worth its barrier from some thousand files on.
constexpr size_t kBatchRows = 4096;
constexpr uint64_t kBatchBytes = 512ull << 20;
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
    const MutexLock lock(mutex_);
    while (rows_.size() >= kRowsWaitingMax && !error_) room_.wait(mutex_);
    if (error_) return;
    bytes_ += row.size_bytes;
    rows_.push_back(std::move(row));
    if (due()) wake_.notify_one();
}

void Committer::work() {
    for (bool last = false; !last;) {
        std::vector<store::TagRow> batch;
        {
            const MutexLock lock(mutex_);
            wake_.wait_for(mutex_, std::chrono::milliseconds(batch_ms_),
                           [this]() ZCDP_REQUIRES(mutex_) { return due(); });
            if (rows_.empty() && !ending_) continue;
            last = ending_;
            batch.swap(rows_);
            bytes_ = 0;
            room_.notify_all();
        }
        Result<> done = batch.empty() ? Result<>() : incoming_.commit(scope_, batch);
        if (done && committed_ && !batch.empty()) done = committed_(batch);
        const MutexLock lock(mutex_);
        if (!done && !error_) error_ = std::move(done).error();
        if (error_) {
            room_.notify_all();
            return;
        }
    }
}

Result<> Committer::finish() {
    {
        const MutexLock lock(mutex_);
        ending_ = true;
    }
    wake_.notify_one();
    if (thread_.joinable()) thread_.join();
    const MutexLock lock(mutex_);
    if (error_) return *error_;
    return {};
}

bool Committer::failed() const {
    const MutexLock lock(mutex_);
    return error_.has_value();
}

}  // namespace zcdp::sync
