#include "src/sync/fetch/feeder.hpp"

#include <algorithm>

namespace zcdp::sync {
namespace {

constexpr uint64_t kChunksPerRunMax = 4;

}  // namespace

/// The next missing chunks of the file opened first, as many as one request should ask for.
bool PlanFeeder::take_run(Batch& batch) {
    while (!open_.empty()) {
        LongFile& file = *open_.front();
        const uint64_t chunks = chunk_count(file.size_bytes());
        uint64_t& next = file.next_chunk;
        while (next < chunks && file.partial->has(next)) ++next;
        if (next == chunks || file.abandoned) {
            open_.pop_front();
            continue;
        }
        ++file.runs;
        if (file.one_pass) {
            batch.work.emplace_back(ChunkRun{open_.front(), next, chunks - next});
            next = chunks;
            return true;
        }
        // Several chunks a request spare headers; but every connection should have some of the last file.
        const uint64_t share = std::clamp<uint64_t>((chunks - next) / (2 * connections_), 1, kChunksPerRunMax);
        ChunkRun run{open_.front(), next, 0};
        while (run.count < share && next < chunks && !file.partial->has(next)) ++next, ++run.count;
        batch.work.emplace_back(std::move(run));
        return true;
    }
    return false;
}

Result<bool> PlanFeeder::take_entry(Batch& batch) {
    while (!plan_ended_) {
        SpoolEntry record;
        ZCDP_TRY(const bool more, plan_.next(record));
        if (!more) {
            plan_ended_ = true;
            break;
        }
        if (record.entry.kind != origin::EntryKind::file || record.knowledge == Knowledge::present) continue;
        if (record.entry.size_bytes > kSmallFileBytesMax) ++long_files_;
        batch.work.emplace_back(std::move(record));
        return true;
    }
    return false;
}

Result<Feeder::Batch> PlanFeeder::take(size_t free_slots) {
    const MutexLock lock(mutex_);
    Batch batch;
    for (size_t heavy = 0; heavy < std::max<size_t>(free_slots, 1) && batch.work.size() < kSmallFilesPerBatch;) {
        if (take_run(batch)) {
            ++heavy;
            continue;
        }
        ZCDP_TRY(const bool taken, take_entry(batch));
        if (!taken) break;
        if (std::get<SpoolEntry>(batch.work.back()).entry.size_bytes > kSmallFileBytesMax) ++heavy;
    }
    batch.finished = batch.work.empty() && plan_ended_ && long_files_ == 0;
    return batch;
}

void PlanFeeder::opened(std::shared_ptr<LongFile> file) {
    const MutexLock lock(mutex_);
    open_.push_back(std::move(file));
}

void PlanFeeder::long_done() {
    const MutexLock lock(mutex_);
    --long_files_;
}

}  // namespace zcdp::sync
