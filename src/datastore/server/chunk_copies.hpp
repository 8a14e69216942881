// Chunks of a long content that other blobs of the store have, copied to their place: some at once, hashed together,
// and verified on their way. One that turns out to be another is left out: it is sent after all.
//
// Thread rule: one thread; everything blocks. Memory: kMost MiB.
#pragma once

#include <memory>
#include <vector>

#include "src/datastore/server/parts.hpp"

namespace zcdp::datastore {

class ChunkCopies {
  public:
    static constexpr size_t kMost = 4;
    ChunkCopies(Parts& parts, LongContent& content) : parts_(parts), content_(content) {}

    /// Adds the chunk if there is a place to copy it from. Contract: there are less than kMost.
    void add(uint64_t chunk);
    size_t size() const { return copies_.size(); }
    /// Copies them; has() of the content says which. Errors: those of writing.
    Result<> run();

  private:
    struct Copy {
        uint64_t chunk = 0, length = 0;
        ChunkPlace place;
        std::unique_ptr<store::ChunkSource> from;
        Sha256 hash;
        bool failed = false;
    };
    Result<> copy_piece(uint64_t at, std::span<std::byte> memory);
    Result<> end(Copy& copy);
    Parts& parts_;
    LongContent& content_;
    std::vector<Copy> copies_;
};

}  // namespace zcdp::datastore
