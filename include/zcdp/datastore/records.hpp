// The records of an upload (docs/formats.md, "Between clients and data stores"): what a client has, and what it sends.
// Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "zcdp/base/digest.hpp"
#include "zcdp/base/error.hpp"

namespace zcdp::datastore {

/// One content of an upload, without bytes.
struct ContentRecord {
    Digest digest;
    uint64_t size_bytes = 0;
    bool executable = false;
    std::vector<Sha256Bytes> chunks;  ///< of a content of more than one chunk, all of them; else empty

    uint64_t chunk_total() const { return chunk_count(size_bytes); }
    bool operator==(const ContentRecord&) const = default;
};
inline constexpr char kRecordsEnd = '\xff';
/// Its record without bytes.
void append_record(std::string& out, const ContentRecord& record);

/// What comes before a chunk's bytes.
struct ChunkHeader {
    Digest digest;  ///< of the whole content
    uint64_t size_bytes = 0;
    bool executable = false;
    uint64_t chunk = 0;
    Sha256Bytes chunk_digest{};

    uint64_t length() const { return chunk_length(size_bytes, chunk); }
    bool operator==(const ChunkHeader&) const = default;
};
/// Its record up to where the bytes follow.
void append_header(std::string& out, const ChunkHeader& header);

/// Reads a body of records as it comes, in pieces of any size. Memory: one record.
class RecordReader {
  public:
    enum class Bodies { none, follow };
    explicit RecordReader(Bodies bodies) : bodies_(bodies) {}

    /// Takes the next piece of the body. Errors: corrupt, for what the writers above do not write, and for what follows
    /// the end.
    Result<> feed(std::string_view piece);

    enum class Found {
        nothing,  ///< feed() more
        content,  ///< content() is one, of Bodies::none
        header,   ///< header() is one, of Bodies::follow; its bytes are next
        bytes,    ///< bytes() are some of the last header's; never empty
        end       ///< the end of the body
    };
    /// What comes next. Errors: as feed(). What the accessors give holds until the next call of either.
    Result<Found> next();
    const ContentRecord& content() const { return content_; }
    const ChunkHeader& header() const { return header_; }
    std::span<const std::byte> bytes() const { return bytes_; }

  private:
    Result<bool> read_content();
    Result<bool> read_header();
    std::string_view unread() const { return std::string_view(input_).substr(at_); }
    const Bodies bodies_;
    std::string input_;
    size_t at_ = 0;
    ContentRecord content_;
    ChunkHeader header_;
    std::span<const std::byte> bytes_;
    uint64_t bytes_left_ = 0;  ///< of the header's chunk
    bool ended_ = false;
};

}  // namespace zcdp::datastore
