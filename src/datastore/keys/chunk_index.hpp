// Where the chunks of the store's long blobs are, by their digests: a file of which a part changed in place is put
// together from what is here. A cache, ROOT/chunks.db (docs/formats.md "Keys"): what it says is verified by whoever
// copies, what it lacks is sent again, and a damaged one is made anew.
//
// Thread rule: any thread; all calls block.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "zcdp/base/digest.hpp"
#include "zcdp/base/guarded.hpp"
#include "zcdp/base/sqlite.hpp"

namespace zcdp::datastore {

/// Chunk `number` of a blob.
struct ChunkPlace {
    Digest blob;
    uint64_t number = 0;
};

class ChunkIndex {
  public:
    /// Errors: denied, no_space, failed.
    static Result<std::unique_ptr<ChunkIndex>> open(const std::string& path);

    /// The chunks of a blob of more than one, in their order. Fine when it knows them.
    Result<> add(const Digest& blob, std::span<const Sha256Bytes> chunks);
    /// At most `limit` places that have such a chunk.
    Result<std::vector<ChunkPlace>> find(const Sha256Bytes& chunk, uint64_t limit);
    /// The blob is gone.
    Result<> forget(const Digest& blob);
    /// At most `limit` of the blobs it knows, in order, from behind `after` (none at first).
    Result<std::vector<Digest>> blobs(const Digest& after, uint64_t limit);

  private:
    ChunkIndex() = default;
    static Result<std::unique_ptr<ChunkIndex>> open_now(const std::string& path);
    Result<> prepare() ZCDP_REQUIRES(mutex_);
    Result<int64_t> id_of(const Digest& blob) ZCDP_REQUIRES(mutex_);
    Mutex mutex_;
    sqlite::Database db_ ZCDP_GUARDED_BY(mutex_);
    sqlite::Statement get_, put_, drop_, after_, find_, put_chunk_, drop_chunks_ ZCDP_GUARDED_BY(mutex_);
};

}  // namespace zcdp::datastore
