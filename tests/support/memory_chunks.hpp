// A content in memory: the plainest sink and source of chunks.
#pragma once

#include <cstring>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "zcdp/store/chunk_sink.hpp"

namespace zcdp::test {

class MemoryChunks final : public store::ChunkSink {
  public:
    explicit MemoryChunks(uint64_t size_bytes) : state_(std::make_shared<State>(size_bytes)) {}

    uint64_t size_bytes() const override { return state_->bytes.size(); }
    bool has(uint64_t chunk) const override { return state_->digest_of(chunk).has_value(); }
    uint64_t chunks_present() const override {
        uint64_t count = 0;
        for (uint64_t chunk = 0; chunk < chunk_count(size_bytes()); ++chunk) count += has(chunk);
        return count;
    }
    Result<> write(uint64_t offset_bytes, std::span<const std::byte> bytes) override {
        if (offset_bytes > size_bytes() || bytes.size() > size_bytes() - offset_bytes)
            return Error(ErrorKind::refused, "ends before that");
        const std::scoped_lock lock(state_->mutex);
        if (!state_->chunks[offset_bytes / kChunkBytes] && !bytes.empty())
            std::memcpy(state_->bytes.data() + offset_bytes, bytes.data(), bytes.size());
        return {};
    }
    Result<> chunk_done(uint64_t chunk, const Sha256Bytes& digest) override {
        const std::scoped_lock lock(state_->mutex);
        if (chunk >= state_->chunks.size()) return Error(ErrorKind::refused, "has fewer chunks");
        if (!state_->chunks[chunk]) state_->chunks[chunk] = digest;
        return {};
    }
    Result<Digest> finish() override {
        const std::scoped_lock lock(state_->mutex);
        std::vector<Sha256Bytes> digests;
        for (const auto& chunk : state_->chunks) {
            if (!chunk) return Error(ErrorKind::failed, "is not complete");
            digests.push_back(*chunk);
        }
        state_->whole = digest_of_chunks(digests);
        return *state_->whole;
    }
    Result<> discard() override {
        const std::scoped_lock lock(state_->mutex);
        for (auto& chunk : state_->chunks) chunk.reset();
        state_->whole.reset();
        return {};
    }
    std::shared_ptr<store::ChunkSource> source() const override { return state_; }

  private:
    struct State final : store::ChunkSource {
        explicit State(uint64_t size_bytes) : bytes(size_bytes), chunks(chunk_count(size_bytes)) {}
        std::optional<Sha256Bytes> digest_of(uint64_t chunk) const {
            const std::scoped_lock lock(mutex);
            return chunk < chunks.size() ? chunks[chunk] : std::nullopt;
        }
        uint64_t size_bytes() const override { return bytes.size(); }
        std::optional<Digest> digest() const override {
            const std::scoped_lock lock(mutex);
            return whole;
        }
        bool has(uint64_t chunk) const override { return digest_of(chunk).has_value(); }
        std::optional<Sha256Bytes> chunk_digest(uint64_t chunk) const override { return digest_of(chunk); }
        Result<> read(uint64_t offset_bytes, std::span<std::byte> into) const override {
            if (offset_bytes > bytes.size() || into.size() > bytes.size() - offset_bytes)
                return Error(ErrorKind::refused, "ends before that");
            const std::scoped_lock lock(mutex);
            for (uint64_t chunk = offset_bytes / kChunkBytes; chunk * kChunkBytes < offset_bytes + into.size(); ++chunk)
                if (!chunks[chunk]) return Error(ErrorKind::not_found, "is not there yet");
            if (!into.empty()) std::memcpy(into.data(), bytes.data() + offset_bytes, into.size());
            return {};
        }
        mutable std::mutex mutex;
        std::vector<std::byte> bytes;
        std::vector<std::optional<Sha256Bytes>> chunks;
        std::optional<Digest> whole;
    };
    const std::shared_ptr<State> state_;
};

}  // namespace zcdp::test
