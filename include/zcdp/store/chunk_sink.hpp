// Where the chunks of one content arrive: in any order, from any number of threads. A partial file; for tests, memory.
//
// What every sink promises; tests/support/chunk_sink_conformance.hpp holds an implementation to it:
//  - A chunk is there from chunk_done() on, never before, however many of its bytes were written.
//  - What is there stays as it is: bytes that are written to such a chunk again are dropped.
//  - finish() gives the content's digest when all chunks are there, and refuses before.
//  - source() shows what is there, at once.
//  - After discard() nothing is there.
// The caller's part: whoever says chunk_done() has written all of the chunk and hashed those very bytes; a chunk has
// one writer at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "zcdp/base/digest.hpp"
#include "zcdp/base/error.hpp"
#include "zcdp/store/chunk_source.hpp"

namespace zcdp::store {

class ChunkSink {
  public:
    virtual ~ChunkSink() = default;

    virtual uint64_t size_bytes() const = 0;
    /// Any thread. False also for a number that is no chunk's.
    virtual bool has(uint64_t chunk) const = 0;
    /// How many are there. Any thread.
    virtual uint64_t chunks_present() const = 0;
    /// Writes at `offset_bytes`, which is a multiple of 1 MiB, within one chunk, from a buffer aligned to 4096; length
    /// a multiple of 4096 or reaching the content's end (then the buffer must be readable up to the next multiple of
    /// 4096). Blocks; any thread. Errors: refused beyond the end; no_space; what writing ends with.
    virtual Result<> write(uint64_t offset_bytes, std::span<const std::byte> bytes) = 0;
    /// The chunk is wholly written and has this digest. Said twice, it counts once. Any thread. Errors: refused for a
    /// number that is no chunk's; what writing ends with.
    virtual Result<> chunk_done(uint64_t chunk, const Sha256Bytes& digest) = 0;
    /// The digest of the whole; failed while a chunk is missing. One thread.
    virtual Result<Digest> finish() = 0;
    /// Forgets the content and all its chunks. Nothing else is called after it.
    virtual Result<> discard() = 0;
    /// What is there, now and later; it may outlive the sink.
    virtual std::shared_ptr<ChunkSource> source() const = 0;
};

}  // namespace zcdp::store
