// Which chunks of a partial file are there: shared by the file, which adds to them, and by whoever reads them
// meanwhile.
//
// Thread rule: any thread.
#pragma once

#include <string>
#include <vector>

#include "zcdp/base/fs.hpp"
#include "zcdp/base/guarded.hpp"
#include "zcdp/store/chunk_source.hpp"

namespace zcdp::store {

class PartialChunks final : public ChunkSource {
  public:
    /// `path` is for messages.
    PartialChunks(Fs& fs, std::string path, uint64_t size_bytes)
        : fs_(fs),
          path_(std::move(path)),
          size_bytes_(size_bytes),
          chunks_(chunk_count(size_bytes)),
          present_(chunks_.size()) {}

    /// For the partial file: where the bytes are; before anybody else asks.
    void read_from(Fd file) { file_ = std::move(file); }
    int file() const { return file_.get(); }
    /// False when it was there already.
    bool add(uint64_t chunk, const Sha256Bytes& digest);
    uint64_t present() const;
    /// Those of missing chunks are zeros.
    std::vector<Sha256Bytes> digests() const;
    void set_digest(const Digest& digest);
    /// From now on no chunk is there.
    void forget();

    uint64_t size_bytes() const override { return size_bytes_; }
    std::optional<Digest> digest() const override;
    bool has(uint64_t chunk) const override;
    std::optional<Sha256Bytes> chunk_digest(uint64_t chunk) const override;
    Result<> read(uint64_t offset_bytes, std::span<std::byte> into) const override;

  private:
    Fs& fs_;
    const std::string path_;
    const uint64_t size_bytes_;
    Fd file_;
    mutable Mutex mutex_;
    std::vector<Sha256Bytes> chunks_ ZCDP_GUARDED_BY(mutex_);
    std::vector<bool> present_ ZCDP_GUARDED_BY(mutex_);
    uint64_t present_count_ ZCDP_GUARDED_BY(mutex_) = 0;
    std::optional<Digest> digest_ ZCDP_GUARDED_BY(mutex_);
};

/// The first and the end of the chunks that a range touches. refused when it goes beyond the content's end; `path` is
/// for the message.
struct ChunkRange {
    uint64_t first = 0, end = 0;
};
Result<ChunkRange> chunks_of_range(uint64_t size_bytes, uint64_t offset_bytes, uint64_t length,
                                   const std::string& path);
/// Fills `into` from an open file that has those bytes; corrupt when it ends before.
Result<> read_exactly(Fs& fs, int fd, uint64_t offset_bytes, std::span<std::byte> into, const std::string& path);

}  // namespace zcdp::store
