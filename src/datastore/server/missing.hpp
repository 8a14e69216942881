// What of an upload has to be sent: a bit for each chunk that a client asks about. Chunks of long files that an earlier
// upload left, or that other files of the store have, are put in their place first, so that nobody sends them; that may
// take long, so the answer is sent as far as it is known.
//
// Thread rule: one thread at a time; what blocks says so.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "src/datastore/server/answered.hpp"
#include "src/datastore/server/parts.hpp"
#include "src/datastore/server/uploads.hpp"
#include "zcdp/datastore/records.hpp"

namespace zcdp::datastore {

class Missing {
  public:
    static constexpr uint64_t kMemoryBytes = 6 << 20;  ///< beside the longest record

    Missing(Parts& parts, Uploads::Speaking upload) : parts_(parts), upload_(std::move(upload)) {}

    /// Looks at some contents, in the order of the question; what is there stays until the upload ends. Blocks.
    void look(std::span<const ContentRecord> contents);
    /// Reserves room for all that is missing. Blocks. Refused: no space, over a quota, more than the upload began with.
    Answered<> reserve();
    /// Bytes of the answer.
    uint64_t answer_bytes() const { return bits_.size(); }
    /// Sends it.
    Task<Result<>> send(net::server::BodySink& sink);

  private:
    struct Long {
        uint64_t first_bit;
        std::shared_ptr<LongContent> content;
        bool was_begun;  ///< an earlier upload left some of it
    };
    bool is_missing(const ContentRecord& record);
    void add_bits(uint64_t count, bool missing);
    void clear_bit(uint64_t bit) { bits_[bit / 8] = static_cast<char>(bits_[bit / 8] & ~(1 << bit % 8)); }
    Answered<> reserve_now(const Room& room);
    Result<> decide_some();
    uint64_t decided_bits() const;

    Parts& parts_;
    const Uploads::Speaking upload_;
    std::string bits_;
    uint64_t count_ = 0;  ///< of bits
    Room missing_;
    uint64_t long_bytes_ = 0;  ///< of missing_, those of contents of more than one chunk
    std::vector<Long> long_;
    size_t at_ = 0;          ///< the one of long_ that is decided now
    uint64_t at_chunk_ = 0;  ///< and its chunk
};

}  // namespace zcdp::datastore
