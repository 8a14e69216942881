// What goes into one request: pieces in the order in which they are found, so many that a request is worth its round
// trip and small enough to be asked again. Pure.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_set>
#include <utility>
#include <vector>

#include "src/datastore/client/put_list.hpp"
#include "zcdp/datastore/records.hpp"

namespace zcdp::datastore {

/// Bytes that the server lacks: a whole short content, or a chunk of a long one.
struct Piece {
    std::shared_ptr<const PutEntry> file;
    uint64_t chunk = 0;

    uint64_t offset_bytes() const { return chunk * kChunkBytes; }
    uint64_t length_bytes() const { return chunk_length(file->entry.size_bytes, chunk); }
    ChunkHeader header() const;
};

using Pieces = std::vector<Piece>;

class Packer {
  public:
    static constexpr uint64_t kBytesMost = kChunkBytes;
    static constexpr size_t kPiecesMost = 4096;
    /// The pieces before this one, when no more fit in with them.
    std::optional<Pieces> add(Piece piece);
    /// What is left; empty when nothing is.
    Pieces finish() {
        bytes_ = 0;
        return std::exchange(pieces_, {});
    }

  private:
    Pieces pieces_;
    uint64_t bytes_ = 0;
};

/// The record of a content, as the server is asked for it.
ContentRecord record_of(const PutEntry& file);

/// Tells contents that have been met already from new ones, over two batches: what an earlier one had is at the server
/// by now, which then does not ask for it.
class MetContents {
  public:
    /// Whether it is new; it is not any more.
    bool meet(const PutEntry& file);
    void begin_batch() { before_ = std::exchange(now_, {}); }

  private:
    using Id = std::pair<Digest, bool>;  ///< and whether it is executable: that is a file of its own there
    struct Hash {
        size_t operator()(const Id& id) const;
    };
    std::unordered_set<Id, Hash> now_, before_;
};

/// The answer to a question for what is missing: a bit for each chunk, in order.
class MissingBits {
  public:
    /// Errors: corrupt, when it has not a bit for each of `chunks`.
    static Result<MissingBits> read(std::string bytes, uint64_t chunks);
    bool operator[](uint64_t chunk) const { return (static_cast<uint8_t>(bytes_[chunk / 8]) >> (chunk % 8) & 1) != 0; }

  private:
    explicit MissingBits(std::string bytes) : bytes_(std::move(bytes)) {}
    std::string bytes_;
};

}  // namespace zcdp::datastore
