#include "src/datastore/client/put_feed.hpp"

namespace zcdp::datastore {
namespace {

/// In one question: a batch ends with the file that reaches either.
constexpr size_t kBatchFiles = 16 << 10;
constexpr uint64_t kBatchBytes = 4 << 20;  ///< of what is held: paths and digests

}  // namespace

Feed::Feed(const PutList& list, Fs& fs, asio::thread_pool& pool, Ask ask, sync::Progress& progress)
    : list_(list), pool_(pool), ask_(std::move(ask)), progress_(progress), reader_(fs, list.file.get()) {}

Task<Result<Pieces>> Feed::next() {
    while (ready_.empty() && !ended_) {
        ZCDP_CO_TRY(Batch batch, co_await offload(pool_, [this] { return read(); }));
        if (batch.files.empty()) {
            ended_ = true;
            if (Pieces rest = packer_.finish(); !rest.empty()) ready_.push_back(std::move(rest));
            break;
        }
        ZCDP_CO_TRY(std::string answer, co_await ask_(std::move(batch.records)));
        ZCDP_CO_TRY(const MissingBits missing, MissingBits::read(std::move(answer), batch.chunks));
        pack(batch, missing);
    }
    if (ready_.empty()) co_return Pieces();
    Pieces pieces = std::move(ready_.front());
    ready_.pop_front();
    co_return pieces;
}

/// Contents that were not met yet, as many as are asked for at once.
Result<Feed::Batch> Feed::read() {
    Batch batch;
    met_.begin_batch();
    while (read_ < list_.count && batch.files.size() < kBatchFiles && batch.held_bytes < kBatchBytes) {
        PutEntry file;
        if (!reader_.next(file)) return PutList::cut_off();
        ++read_;
        if (file.entry.kind != store::FileKind::file) continue;
        if (file.entry.size_bytes == 0 || !met_.meet(file)) {
            pass_over(file);
            continue;
        }
        append_record(batch.records, record_of(file));
        const uint64_t chunks = chunk_count(file.entry.size_bytes);
        batch.chunks += chunks;
        batch.held_bytes += file.entry.path.size() + chunks * sizeof(Sha256Bytes);
        batch.files.push_back(std::make_shared<const PutEntry>(std::move(file)));
    }
    batch.records.push_back(kRecordsEnd);
    return batch;
}

/// Nothing of it has to be sent.
void Feed::pass_over(const PutEntry& file) {
    --progress_.objects_total;
    progress_.bytes_total -= file.entry.size_bytes;
}

void Feed::pack(const Batch& batch, const MissingBits& missing) {
    uint64_t bit = 0;
    for (const auto& file : batch.files) {
        const uint64_t chunks = chunk_count(file->entry.size_bytes);
        bool any = false;
        for (uint64_t chunk = 0; chunk < chunks; ++chunk, ++bit) {
            Piece piece{file, chunk};
            if (!missing[bit]) {
                progress_.bytes_total -= piece.length_bytes();
                continue;
            }
            any = true;
            if (auto full = packer_.add(std::move(piece))) ready_.push_back(std::move(*full));
        }
        if (!any) --progress_.objects_total;
    }
}

}  // namespace zcdp::datastore
