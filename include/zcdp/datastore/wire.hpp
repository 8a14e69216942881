// What clients and data stores say to each other (docs/formats.md, "Between clients and data stores"): targets, items,
// errors and records. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "zcdp/base/digest.hpp"
#include "zcdp/base/error.hpp"

namespace zcdp::datastore {

enum class KeyKind : uint8_t { tree = 1, file = 2 };
std::string_view name_of(KeyKind kind);  ///< "tree", "file"
std::optional<KeyKind> parse_key_kind(std::string_view name);

/// A key, or a folder of keys.
struct Item {
    std::string key, name;
    bool is_directory = false;
    KeyKind kind = KeyKind::tree;
    uint64_t version = 0;   ///< 0: a folder
    uint64_t versions = 0;  ///< how many are kept
    uint64_t size_bytes = 0, files = 0;
    std::string snapshot;
    int64_t modified_unix_s = 0;
    int64_t expires_unix_s = 0;  ///< 0: never

    std::string json() const;
    bool operator==(const Item&) const = default;
};
/// Errors: corrupt.
Result<Item> parse_item(std::string_view json);

struct ItemPage {
    std::vector<Item> items;
    std::string next;  ///< "" when this is the last

    std::string json() const;
};
Result<ItemPage> parse_item_page(std::string_view json);

/// How an upload begins.
struct UploadIntent {
    KeyKind kind = KeyKind::tree;
    uint64_t files = 0, bytes = 0;
    std::string snapshot;                ///< what the manifest will be, where that is known; "" else
    std::optional<uint64_t> if_version;  ///< the key's version has to be this one; 0: there must be none
    bool force = false;                  ///< make a version also when nothing changed

    std::string json() const;
};
Result<UploadIntent> parse_upload_intent(std::string_view json);

struct UploadBegun {
    std::string upload;  ///< its ID
    bool present = false;
    uint64_t version = 0;

    std::string json() const;
};
Result<UploadBegun> parse_upload_begun(std::string_view json);

struct Committed {
    std::string key, snapshot;
    uint64_t version = 0;
    bool unchanged = false;

    std::string json() const;
};
Result<Committed> parse_committed(std::string_view json);

/// {"error": {…}}, and back; what is no such object is an error of its own, which names the status.
std::string error_json(const Error& error);
Error parse_error(int status, std::string_view body);
/// The HTTP status of an error's kind.
int status_of(ErrorKind kind);

/// "/v1/VERB/" and the key, each component percent-encoded; `query` ("version=3") is appended as it is.
std::string target_of(std::string_view verb, std::string_view key, std::string_view query = {});
/// Percent-encodes all but unreserved characters (RFC 3986), for a query's values.
std::string query_encoded(std::string_view text);

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
void append_header(std::string& out, const ChunkHeader& header);

/// Reads records as they come, in pieces of any size. Memory: one record without bytes, at most kRecordBytesMax.
/// Errors: corrupt for everything that the writers above do not write.
class RecordReader {
  public:
    /// A content of 1 PiB has so many bytes of digests.
    static constexpr size_t kRecordBytesMax = size_t{1} << 32;
    enum class Bodies { none, follow };
    explicit RecordReader(Bodies bodies) : bodies_(bodies) {}

    /// Called for what was read; an error ends the reading.
    struct Sink {
        std::function<Result<>(ContentRecord record)> content;          ///< with Bodies::none
        std::function<Result<>(const ChunkHeader& header)> header;      ///< with Bodies::follow
        std::function<Result<>(std::span<const std::byte> bytes)> bytes;  ///< of the last header; never empty
    };
    Result<> feed(std::string_view piece, const Sink& sink);
    /// Whether the end was read; nothing may follow it.
    bool ended() const { return ended_; }

  private:
    Result<> feed_records(const Sink& sink);
    const Bodies bodies_;
    std::string pending_;
    uint64_t body_left_ = 0;
    bool ended_ = false;
};

}  // namespace zcdp::datastore
