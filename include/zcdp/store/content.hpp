// What is in the store, by content. Thread rule: any thread. All calls block, but on nobody: neither on an eviction nor
// on a sync.
#pragma once

#include <cstdint>
#include <memory>

#include "zcdp/base/digest.hpp"
#include "zcdp/base/error.hpp"
#include "zcdp/base/fs.hpp"
#include "zcdp/store/chunk_source.hpp"

namespace zcdp::store {

/// A blob as a caller names it.
struct BlobRef {
    Digest digest;
    uint64_t size_bytes = 0;
    bool executable = false;
};

class Content {
  public:
    virtual ~Content() = default;

    /// A known blob: in the index and on disk.
    virtual bool has_blob(const BlobRef& blob) = 0;
    /// Opens a blob's bytes.
    virtual Result<Fd> open_blob(const Digest& digest) = 0;
    /// Its chunks; they stay readable whatever is evicted meanwhile. not_found when the blob is not here.
    virtual Result<std::unique_ptr<ChunkSource>> open_chunks(const Digest& digest) = 0;
};

}  // namespace zcdp::store
