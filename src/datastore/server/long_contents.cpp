#include "src/datastore/server/long_contents.hpp"

#include <algorithm>

namespace zcdp::datastore {
namespace {

/// What the map of the partial file says is a chunk of this content; another one may have been called the same.
bool is_of(const store::PartialFile& file, std::span<const Sha256Bytes> chunks) {
    const auto source = file.source();
    for (size_t i = 0; i < chunks.size(); ++i)
        if (const auto digest = source->chunk_digest(i); digest && *digest != chunks[i]) return false;
    return true;
}

}  // namespace

LongContent::LongContent(store::BlobRef blob, std::vector<Sha256Bytes> chunks)
    : blob_(blob), chunks_(std::move(chunks)) {}

store::PartialFile* LongContent::file() const {
    const MutexLock lock(mutex_);
    return file_.get();
}

Result<> LongContent::open(store::Ingest& ingest, std::shared_ptr<store::Hold> hold) {
    const MutexLock one_opens(opening_);
    {
        const MutexLock lock(mutex_);
        if (file_ || done_) return {};
    }
    ZCDP_TRY(auto incoming, ingest.incoming(std::move(hold)));
    const store::ByDigest key{blob_.digest};
    ZCDP_TRY(auto opened, incoming->open_partial(key, blob_.size_bytes));
    if (!is_of(*opened, chunks_)) {
        ZCDP_CHECK(opened->discard());
        ZCDP_TRY(opened, incoming->open_partial(key, blob_.size_bytes));
    }
    const MutexLock lock(mutex_);
    incoming_ = std::move(incoming), file_ = std::move(opened);
    return {};
}

bool LongContent::has(uint64_t chunk) const {
    const MutexLock lock(mutex_);
    return done_ || (file_ && file_->has(chunk));
}

bool LongContent::is_whole() const {
    const MutexLock lock(mutex_);
    return file_ && file_->chunks_present() == chunks_.size();
}

bool LongContent::is_done() const {
    const MutexLock lock(mutex_);
    return done_;
}

bool LongContent::begin_write(uint64_t chunk) {
    const MutexLock lock(mutex_);
    return !done_ && file_ && !file_->has(chunk) && written_now_.insert(chunk).second;
}

void LongContent::end_write(uint64_t chunk) {
    const MutexLock lock(mutex_);
    written_now_.erase(chunk);
}

/// While somebody writes a chunk the content is not whole, so nobody takes the file.
Result<> LongContent::write(uint64_t offset_bytes, std::span<const std::byte> bytes) {
    return file()->write(offset_bytes, bytes);
}

Result<> LongContent::chunk_done(uint64_t chunk) { return file()->chunk_done(chunk, chunks_[chunk]); }

std::unique_ptr<store::PartialFile> LongContent::take_whole() {
    const MutexLock lock(mutex_);
    if (!file_ || file_->chunks_present() != chunks_.size()) return nullptr;
    return std::move(file_);
}

void LongContent::set_done() {
    const MutexLock lock(mutex_);
    done_ = true;
    incoming_.reset();
}

std::shared_ptr<LongContent> LongContents::get(const store::BlobRef& blob, const std::vector<Sha256Bytes>& chunks) {
    const MutexLock lock(mutex_);
    if (filled_now_.size() >= sweep_at_) {
        std::erase_if(filled_now_, [](const auto& one) { return one.second.expired(); });
        sweep_at_ = 2 * filled_now_.size() + 64;
    }
    auto& place = filled_now_[{blob.digest, blob.size_bytes}];
    auto content = place.lock();
    // One that is done and not in the store any more was taken away since.
    if (content && !content->is_done()) return content;
    content = std::make_shared<LongContent>(blob, chunks);
    place = content;
    return content;
}

Result<> LongContents::finish(const std::shared_ptr<LongContent>& content) {
    Waiting mine{content};
    while (true) {
        std::vector<Waiting*> batch;
        {
            const MutexLock lock(mutex_);
            if (!mine.queued) queue_.push_back(&mine);
            mine.queued = true;
            while (!mine.ended && committing_) committed_.wait(mutex_);
            if (mine.ended) return mine.result;
            committing_ = true;
            batch.swap(queue_);
        }
        commit(batch);
        {
            const MutexLock lock(mutex_);
            for (Waiting* one : batch) one->ended = true;
            committing_ = false;
        }
        committed_.notify_all();
    }
}

/// Whether there was something to stage: another may have staged it before.
Result<bool> LongContents::stage(store::Incoming& incoming, LongContent& content) {
    auto file = content.take_whole();
    if (!file) return false;
    ZCDP_TRY(const Digest digest, file->finish());
    if (digest != content.blob().digest)
        return Error(ErrorKind::corrupt, "is not what its chunks make", content.blob().digest.str());
    ZCDP_CHECK(incoming.stage_partial(std::move(file), content.blob()));
    return true;
}

void LongContents::commit(std::span<Waiting* const> batch) {
    auto incoming = ingest_.incoming();
    std::vector<Waiting*> staged;
    for (Waiting* one : batch) {
        const Result<bool> done = incoming ? stage(**incoming, *one->content) : Result<bool>(incoming.error());
        if (!done) one->result = done.error();
        else if (*done) staged.push_back(one);
    }
    const Result<> durable = staged.empty() ? Result<>() : (*incoming)->commit();
    for (Waiting* one : staged) {
        if (durable) one->content->set_done();
        else one->result = durable.error();
    }
}

}  // namespace zcdp::datastore
