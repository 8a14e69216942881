// The chunks of one content, for whoever passes them on or checks them: a CAS file, or a file that is still being
// filled.
//
// What every source promises; tests/support/chunk_source_conformance.hpp holds an implementation to it:
//  - A chunk that is there was verified: read() gives bytes whose SHA-256 is chunk_digest(). They are not hashed again
//    on the way out: who gets them from afar hashes them.
//  - A chunk that is there stays there, whatever the store evicts meanwhile; only when the content turns out to be
//    damaged, no chunk is there any more.
//  - What is not there is said, never made up: has() is false, chunk_digest() is nothing, read() is not_found.
//  - digest(), once known, is that of the chunks' digests in their order.
//  - Nobody who fills the content waits for a reader, or a reader for them.
// Thread rule: any thread, also while the content is being filled. It ends before its store does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "zcdp/base/digest.hpp"
#include "zcdp/base/error.hpp"

namespace zcdp::store {

class ChunkSource {
  public:
    virtual ~ChunkSource() = default;

    /// Of the whole content, also while parts of it are missing.
    virtual uint64_t size_bytes() const = 0;
    /// At least one; the empty content has one empty chunk.
    uint64_t chunks() const { return chunk_count(size_bytes()); }
    /// Of the whole content; nullopt as long as that is not known.
    virtual std::optional<Digest> digest() const = 0;

    /// False also for a number that is no chunk's.
    virtual bool has(uint64_t chunk) const = 0;
    /// nullopt when the chunk is not there.
    virtual std::optional<Sha256Bytes> chunk_digest(uint64_t chunk) const = 0;
    /// Fills `into` from `offset_bytes` of the content on; chunk i begins at i * kChunkBytes. Blocks. Errors: not_found
    /// when a chunk that it touches is not there; refused when the range goes beyond the content's end; corrupt when
    /// the bytes that were there are gone; what reading ends with.
    virtual Result<> read(uint64_t offset_bytes, std::span<std::byte> into) const = 0;
};

}  // namespace zcdp::store
