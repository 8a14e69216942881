// The chunks of one request, as they arrive: short contents are gathered, hashed together and staged; chunks of others
// are hashed and written piece by piece. What has not its digest is dropped, and ends the request.
//
// Thread rule: one coroutine. Memory: kMemoryBytes, whatever comes.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "src/datastore/server/answered.hpp"
#include "src/datastore/server/parts.hpp"
#include "src/datastore/server/upload.hpp"
#include "zcdp/base/huge_pages.hpp"
#include "zcdp/datastore/records.hpp"

namespace zcdp::datastore {

class ChunkIntake {
  public:
    /// The two halves of a huge page, and what a RecordReader holds.
    static constexpr uint64_t kMemoryBytes = kHugePageBytes + (1 << 20);

    ChunkIntake(Parts& parts, Upload& upload) : parts_(parts), upload_(upload) {}
    ~ChunkIntake();
    ChunkIntake(const ChunkIntake&) = delete;
    ChunkIntake& operator=(const ChunkIntake&) = delete;

    /// Where the request's body may be received.
    std::span<char> receiving() const;
    /// The next chunk begins, some bytes of it, and the end of all. Refused: what is no chunk of what the upload
    /// announced; corrupt: other bytes than the digest's, by name; busy: another brings the same chunk, and dawdles.
    Task<Answered<>> begin(ChunkHeader header);
    Task<Answered<>> add(std::span<const std::byte> bytes);
    Task<Answered<>> finish();
    uint64_t chunks() const { return chunks_; }

  private:
    struct Short {
        store::BlobRef blob;
        size_t at = 0;  ///< in the block
    };
    std::span<std::byte> block() const;
    Task<Answered<>> begin_long();
    Answered<std::shared_ptr<LongContent>> content_of(const ChunkHeader& header);
    Task<Answered<bool>> take_turn(std::shared_ptr<LongContent> content, uint64_t chunk);
    Task<Answered<>> flush_shorts();
    Answered<> stage_shorts();
    Answered<> stage(const Short& content, std::span<const std::byte> bytes);
    Answered<> write_block();
    Answered<> end_long();

    Parts& parts_;
    Upload& upload_;
    const HugePages memory_{kHugePageBytes};
    uint64_t chunks_ = 0;

    ChunkHeader header_;
    uint64_t got_bytes_ = 0;  ///< of its chunk
    size_t filled_ = 0;       ///< of the block
    std::vector<Short> shorts_;
    std::vector<Sha256> hashes_;

    std::shared_ptr<LongContent> long_;  ///< whose chunk is being received
    bool writes_ = false;                ///< it is this request's to write
    bool drops_ = false;                 ///< what is received is there, or is nobody's
    Sha256 hash_;
};

}  // namespace zcdp::datastore
