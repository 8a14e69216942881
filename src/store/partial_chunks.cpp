#include "src/store/partial_chunks.hpp"

#include <algorithm>

namespace zcdp::store {

Result<ChunkRange> chunks_of_range(uint64_t size_bytes, uint64_t offset_bytes, uint64_t length,
                                   const std::string& path) {
    if (offset_bytes > size_bytes || length > size_bytes - offset_bytes)
        return Error(ErrorKind::refused, "ends before that range", path);
    const uint64_t first = offset_bytes / kChunkBytes;
    return ChunkRange{first, length == 0 ? first : (offset_bytes + length - 1) / kChunkBytes + 1};
}

Result<> read_exactly(Fs& fs, int fd, uint64_t offset_bytes, std::span<std::byte> into, const std::string& path) {
    const auto got = fs.read(fd, into, offset_bytes);
    if (!got) return system_error(got.error(), "reading", path);
    if (*got != into.size()) return Error(ErrorKind::corrupt, "is shorter than its chunks", path);
    return {};
}

bool PartialChunks::add(uint64_t chunk, const Sha256Bytes& digest) {
    const MutexLock lock(mutex_);
    if (present_[chunk]) return false;
    chunks_[chunk] = digest;
    present_[chunk] = true;
    ++present_count_;
    return true;
}

uint64_t PartialChunks::present() const {
    const MutexLock lock(mutex_);
    return present_count_;
}

std::vector<Sha256Bytes> PartialChunks::digests() const {
    const MutexLock lock(mutex_);
    return chunks_;
}

void PartialChunks::set_digest(const Digest& digest) {
    const MutexLock lock(mutex_);
    digest_ = digest;
}

void PartialChunks::forget() {
    const MutexLock lock(mutex_);
    std::fill(present_.begin(), present_.end(), false);
    present_count_ = 0;
    digest_.reset();
}

std::optional<Digest> PartialChunks::digest() const {
    const MutexLock lock(mutex_);
    return digest_;
}

bool PartialChunks::has(uint64_t chunk) const {
    const MutexLock lock(mutex_);
    return chunk < present_.size() && present_[chunk];
}

std::optional<Sha256Bytes> PartialChunks::chunk_digest(uint64_t chunk) const {
    const MutexLock lock(mutex_);
    return chunk < present_.size() && present_[chunk] ? std::optional(chunks_[chunk]) : std::nullopt;
}

Result<> PartialChunks::read(uint64_t offset_bytes, std::span<std::byte> into) const {
    ZCDP_TRY(const ChunkRange range, chunks_of_range(size_bytes_, offset_bytes, into.size(), path_));
    for (uint64_t chunk = range.first; chunk < range.end; ++chunk)
        if (!has(chunk)) return Error(ErrorKind::not_found, "has not got these bytes yet", path_);
    return into.empty() ? Result<>() : read_exactly(fs_, file_.get(), offset_bytes, into, path_);
}

}  // namespace zcdp::store
