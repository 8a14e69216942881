// Contents for tests of chunks, and buffers as a sink wants them.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "zcdp/base/digest.hpp"
#include "zcdp/base/random.hpp"
#include "zcdp/store/chunk_sink.hpp"

namespace zcdp::test {

/// Random bytes, in memory that is aligned and padded as ChunkSink::write asks for.
class ChunkContent {
  public:
    explicit ChunkContent(uint64_t size_bytes, uint64_t seed = 1)
        : size_bytes_(size_bytes),
          memory_(static_cast<std::byte*>(std::aligned_alloc(4096, (size_bytes / 4096 + 1) * 4096)), &std::free) {
        // Random within a block, and each block another one: to fill all of it anew would take most of a test's time.
        const std::span all(memory_.get(), (size_bytes / 4096 + 1) * 4096);
        SeededRandom(seed).fill(all.first(std::min(all.size(), kBlock)));
        for (size_t at = kBlock; at < all.size(); at += kBlock) {
            std::copy_n(all.begin(), std::min(kBlock, all.size() - at), all.begin() + static_cast<ptrdiff_t>(at));
            const uint64_t number = at / kBlock;
            std::memcpy(&all[at], &number, sizeof number);
        }
        for (uint64_t i = 0; i < chunks(); ++i) digests_.push_back(Sha256::of(chunk(i)));
    }
    uint64_t size_bytes() const { return size_bytes_; }
    uint64_t chunks() const { return chunk_count(size_bytes_); }
    std::span<const std::byte> bytes() const { return {memory_.get(), size_bytes_}; }
    std::span<const std::byte> chunk(uint64_t chunk) const {
        return bytes().subspan(chunk * kChunkBytes, chunk_length(size_bytes_, chunk));
    }
    const Sha256Bytes& chunk_digest(uint64_t index) const { return digests_[index]; }
    Digest digest() const { return digest_of_chunks(digests_); }
    /// The chunk's bytes to the sink, in pieces of 1 MiB; `last_first` turns their order.
    Result<> write(store::ChunkSink& sink, uint64_t index, bool last_first = false) const {
        constexpr uint64_t kPiece = 1 << 20;
        const uint64_t length = chunk(index).size(), pieces = (length + kPiece - 1) / kPiece;
        for (uint64_t i = 0; i < pieces; ++i) {
            const uint64_t at = (last_first ? pieces - 1 - i : i) * kPiece;
            ZCDP_CHECK(sink.write(index * kChunkBytes + at, chunk(index).subspan(at, std::min(kPiece, length - at))));
        }
        return {};
    }
    /// All of it, verified.
    Result<> put(store::ChunkSink& sink, uint64_t index) const {
        ZCDP_CHECK(write(sink, index));
        return sink.chunk_done(index, chunk_digest(index));
    }

  private:
    static constexpr size_t kBlock = 1 << 20;
    uint64_t size_bytes_;
    std::unique_ptr<std::byte, decltype(&std::free)> memory_;
    std::vector<Sha256Bytes> digests_;
};

}  // namespace zcdp::test
