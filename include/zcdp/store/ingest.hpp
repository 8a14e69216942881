// How bytes enter the store: what a sync counts on is held, room is promised, contents are staged and committed.
//
// Thread rule: Ingest from any thread; Incoming and PartialFile say their own. All calls block.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <variant>

#include "zcdp/base/digest.hpp"
#include "zcdp/base/error.hpp"
#include "zcdp/base/ids.hpp"
#include "zcdp/store/chunk_sink.hpp"
#include "zcdp/store/content.hpp"
#include "zcdp/store/tags.hpp"

namespace zcdp::store {

/// What is being filled, by what is known of it before its bytes are. Equal keys and sizes come back to the same
/// partial file, also after a kill -9; those of different kinds never do.
struct ByDigest {
    Digest digest;  ///< the content itself: finish() refuses another one
};
struct ByTag {
    TagScope scope;
    std::string key;  ///< an origin's object as it was listed
    Tag tag;
};
struct ByUpload {
    std::string name;  ///< what is being uploaded under this name
};
using PartialKey = std::variant<ByDigest, ByTag, ByUpload>;

/// What one sync counts on while it runs: the blobs and partial files that it asked for stay, and the room that it was
/// promised is its own until it is used. All of it is let go with the last pointer.
class Hold {
  public:
    virtual ~Hold() = default;
};

/// A sink on disk, below partial/: survives kill -9 at chunk granularity. Chunks that an earlier run left are re-hashed
/// by open_partial before has() says so. discard() removes it: the next open_partial begins anew.
class PartialFile : public ChunkSink {};

/// Bytes on their way into the CAS. One per sync; any thread may stage, commit is called by one thread at a time.
class Incoming {
  public:
    virtual ~Incoming() = default;

    /// Writes a verified content of at most one chunk to a partial file (not durable yet). Nothing is written when the
    /// blob is here or already staged.
    virtual Result<> stage(const BlobRef& blob, std::span<const std::byte> content) = 0;

    /// The partial file of this key and size, resumed if there is one; it stays, whatever gc removes, while the hold of
    /// this Incoming is there. refused for a digest that no content of that size has.
    virtual Result<std::unique_ptr<PartialFile>> open_partial(const PartialKey& key, uint64_t size_bytes) = 0;
    /// Hands a finished partial file over to the next commit.
    virtual Result<> stage_partial(std::unique_ptr<PartialFile> file, const BlobRef& blob) = 0;

    /// Durability barrier over all that was staged, rename into the CAS, fsync of the folders touched, then one index
    /// transaction with the blobs. When it returns, they survive power loss.
    virtual Result<> commit() = 0;
    /// The same, with what an origin calls them in the same transaction.
    virtual Result<> commit(const TagScope& scope, std::span<const TagRow> tags) = 0;

    /// Files and bytes staged since the last commit.
    virtual uint64_t staged_files() const = 0;
    virtual uint64_t staged_bytes() const = 0;
};

/// For StoreMode::write.
class Ingest {
  public:
    virtual ~Ingest() = default;

    /// Holds nothing yet.
    virtual std::shared_ptr<Hold> hold() = 0;
    /// As has_blob(); the blob stays while `hold` is there.
    virtual bool hold_blob(Hold& hold, const BlobRef& blob) = 0;
    /// What the partial file of this key and size has of its room already, 0 when there is none; it stays while `hold`
    /// is there.
    virtual uint64_t hold_partial(Hold& hold, const PartialKey& key, uint64_t size_bytes) = 0;
    /// Room for this many more bytes and files, added to what `hold` (or a new one) was promised. Makes room where that
    /// is needed: partial files that nobody fills and blobs that nobody needs, then unpinned, unleased snapshots, each
    /// the least recently used first. no_space says needed, free and evictable, and who has the room.
    virtual Result<std::shared_ptr<Hold>> reserve(uint64_t bytes, uint64_t files, std::shared_ptr<Hold> hold = {}) = 0;
    /// What it writes is taken off the room that `hold` was promised, and stays while `hold` is there.
    virtual Result<std::unique_ptr<Incoming>> incoming(std::shared_ptr<Hold> hold = {}) = 0;
};

}  // namespace zcdp::store
