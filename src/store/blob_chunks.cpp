// The chunks of a blob in the CAS.
#include "src/store/open_store.hpp"
#include "src/store/partial_chunks.hpp"

namespace zcdp::store {
namespace {

/// All there from the beginning. The open file keeps its bytes also when its name goes.
class BlobChunks final : public ChunkSource {
  public:
    BlobChunks(Fs& fs, Fd file, std::string path, const Digest& digest, uint64_t size_bytes,
               std::vector<Sha256Bytes> chunks)
        : fs_(fs),
          file_(std::move(file)),
          path_(std::move(path)),
          digest_(digest),
          size_bytes_(size_bytes),
          chunks_(std::move(chunks)) {}

    uint64_t size_bytes() const override { return size_bytes_; }
    std::optional<Digest> digest() const override { return digest_; }
    bool has(uint64_t chunk) const override { return chunk < chunks_.size(); }
    std::optional<Sha256Bytes> chunk_digest(uint64_t chunk) const override {
        return has(chunk) ? std::optional(chunks_[chunk]) : std::nullopt;
    }
    Result<> read(uint64_t offset_bytes, std::span<std::byte> into) const override {
        ZCDP_CHECK(chunks_of_range(size_bytes_, offset_bytes, into.size(), path_));
        return into.empty() ? Result<>() : read_exactly(fs_, file_.get(), offset_bytes, into, path_);
    }

  private:
    Fs& fs_;
    const Fd file_;
    const std::string path_;
    const Digest digest_;
    const uint64_t size_bytes_;
    const std::vector<Sha256Bytes> chunks_;
};

}  // namespace

Result<std::unique_ptr<ChunkSource>> OpenStore::open_chunks(const Digest& digest) {
    std::optional<Index::Blob> known;
    {
        const MutexLock lock(core_.mutex);
        ZCDP_TRY(known, core_.index->blob(digest));
    }
    const std::string path = core_.root + "/cas/" + blob_name(digest, false);
    if (!known) return Error(ErrorKind::not_found, "is not in the store", digest.str());
    ZCDP_TRY(Fd file, open_blob(digest));
    const auto st = core_.fs.stat_fd(file.get());
    if (!st) return system_error(st.error(), "looking at", path);
    // A content of one chunk is called what its chunk is.
    if (digest.kind == DigestKind::sha256) known->chunks = {digest.bytes};
    if (static_cast<uint64_t>(st->st_size) != known->size_bytes ||
        known->chunks.size() != chunk_count(known->size_bytes))
        return Error(ErrorKind::corrupt, "has not the size that the index says", path, "run: zcdp store verify");
    return std::unique_ptr<ChunkSource>(std::make_unique<BlobChunks>(core_.fs, std::move(file), path, digest,
                                                                     known->size_bytes, std::move(known->chunks)));
}

}  // namespace zcdp::store
