// Contents that arrive in chunks, or are too large to be held: each is one partial file of the store, whichever uploads
// bring its chunks. A chunk has one writer at a time, and counts once its bytes had its digest.
//
// Thread rule: any thread. What opens, writes or finishes blocks.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <span>
#include <vector>

#include "zcdp/base/digest.hpp"
#include "zcdp/base/error.hpp"
#include "zcdp/base/guarded.hpp"
#include "zcdp/store/content.hpp"
#include "zcdp/store/ingest.hpp"

namespace zcdp::datastore {

/// Contents of up to so many bytes are held whole instead.
inline constexpr uint64_t kShortBytesMax = 1 << 20;

class LongContent {
  public:
    /// `chunks`: of the whole content, in order; it is what `blob` is called after.
    LongContent(store::BlobRef blob, std::vector<Sha256Bytes> chunks);

    const store::BlobRef& blob() const { return blob_; }
    const std::vector<Sha256Bytes>& chunks() const { return chunks_; }

    /// The partial file with what an earlier upload left of it, which is hashed. Fine when it is open.
    Result<> open(store::Ingest& ingest, std::shared_ptr<store::Hold> hold);
    /// Whether the chunk is there; false as well before it is open.
    bool has(uint64_t chunk) const;
    /// All chunks are there, and LongContents::finish() was not called since the last came.
    bool is_whole() const;
    /// It is in the store, for good.
    bool is_done() const;
    /// The partial file is open: somebody fills it.
    bool is_open() const { return file() != nullptr; }
    /// Whether the caller may write the chunk, until write_ended().
    bool begin_write(uint64_t chunk);
    void end_write(uint64_t chunk);
    /// As ChunkSink's.
    Result<> write(uint64_t offset_bytes, std::span<const std::byte> bytes);
    /// What was written had the chunk's digest.
    Result<> chunk_done(uint64_t chunk);
    /// The file, once, when all chunks are there; null else.
    std::unique_ptr<store::PartialFile> take_whole();
    void set_done();

  private:
    store::PartialFile* file() const;
    const store::BlobRef blob_;
    const std::vector<Sha256Bytes> chunks_;
    Mutex opening_;
    mutable Mutex mutex_;
    std::unique_ptr<store::Incoming> incoming_ ZCDP_GUARDED_BY(mutex_);
    std::unique_ptr<store::PartialFile> file_ ZCDP_GUARDED_BY(mutex_);
    std::set<uint64_t> written_now_ ZCDP_GUARDED_BY(mutex_);
    bool done_ ZCDP_GUARDED_BY(mutex_) = false;
};

class LongContents {
  public:
    explicit LongContents(store::Ingest& ingest) : ingest_(ingest) {}

    /// The one of this digest and size that uploads fill now, or a new one.
    std::shared_ptr<LongContent> get(const store::BlobRef& blob, const std::vector<Sha256Bytes>& chunks);
    /// Makes the content durable and part of the store if all of it is there. Several that come at once share a
    /// barrier.
    Result<> finish(const std::shared_ptr<LongContent>& content);

  private:
    struct Waiting {
        std::shared_ptr<LongContent> content;
        bool queued = false, ended = false;
        Result<> result = {};
    };
    void commit(std::span<Waiting* const> batch);
    Result<bool> stage(store::Incoming& incoming, LongContent& content);

    store::Ingest& ingest_;
    Mutex mutex_;
    ConditionVariable committed_;
    bool committing_ ZCDP_GUARDED_BY(mutex_) = false;
    std::vector<Waiting*> queue_ ZCDP_GUARDED_BY(mutex_);
    std::map<std::pair<Digest, uint64_t>, std::weak_ptr<LongContent>> filled_now_ ZCDP_GUARDED_BY(mutex_);
    size_t sweep_at_ ZCDP_GUARDED_BY(mutex_) = 64;
};

}  // namespace zcdp::datastore
