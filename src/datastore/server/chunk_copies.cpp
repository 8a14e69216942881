#include "src/datastore/server/chunk_copies.hpp"

#include <algorithm>

#include "zcdp/base/huge_pages.hpp"

namespace zcdp::datastore {
namespace {

constexpr size_t kPieceBytes = 1 << 20;  ///< of each copy at a time
constexpr uint64_t kPlacesMost = 3;      ///< tried of one chunk

}  // namespace

/// What the index says of blobs that are gone is forgotten.
void ChunkCopies::add(uint64_t chunk) {
    const Sha256Bytes& wanted = content_.chunks()[chunk];
    const uint64_t length = chunk_length(content_.blob().size_bytes, chunk);
    const auto places = parts_.chunks->find(wanted, kPlacesMost);
    if (!places) return;
    for (const ChunkPlace& place : *places) {
        auto from = parts_.store->open_chunks(place.blob);
        if (!from) {
            (void)parts_.chunks->forget(place.blob);
            continue;
        }
        const bool fits = (*from)->chunk_digest(place.number) == wanted &&
                          chunk_length((*from)->size_bytes(), place.number) == length;
        if (!fits) continue;
        copies_.push_back({chunk, length, place, std::move(*from), {}, false});
        return;
    }
}

Result<> ChunkCopies::run() {
    std::erase_if(copies_, [this](const Copy& one) { return !content_.begin_write(one.chunk); });
    const HugePages memory(kMost * kPieceBytes);
    Result<> done;
    for (uint64_t at = 0; at < kChunkBytes && done; at += kPieceBytes) done = copy_piece(at, memory.bytes());
    for (Copy& one : copies_) {
        if (done) done = end(one);
        content_.end_write(one.chunk);
    }
    return done;
}

/// The same part of each chunk.
Result<> ChunkCopies::copy_piece(uint64_t at, std::span<std::byte> memory) {
    std::vector<HashUpdate> updates;
    std::vector<std::pair<uint64_t, std::span<const std::byte>>> writes;
    for (Copy& one : copies_) {
        const auto room = memory.first(kPieceBytes);
        memory = memory.subspan(kPieceBytes);
        if (one.failed || at >= one.length) continue;
        const auto piece = room.first(std::min<uint64_t>(kPieceBytes, one.length - at));
        one.failed = !one.from->read(one.place.number * kChunkBytes + at, piece);
        if (one.failed) continue;
        updates.push_back({&one.hash, piece});
        writes.emplace_back(one.chunk * kChunkBytes + at, piece);
    }
    update_together(updates);
    for (const auto& [offset, piece] : writes) ZCDP_CHECK(content_.write(offset, piece));
    return {};
}

Result<> ChunkCopies::end(Copy& copy) {
    if (copy.failed || copy.hash.finish() != content_.chunks()[copy.chunk]) {
        parts_.machine.log.warn("a chunk of the store is not what it was",
                                {{"blob", copy.place.blob.str()}, {"chunk", copy.place.number}});
        return parts_.chunks->forget(copy.place.blob);
    }
    ZCDP_CHECK(content_.chunk_done(copy.chunk));
    parts_.counts.copied_bytes.add(copy.length);
    return {};
}

}  // namespace zcdp::datastore
