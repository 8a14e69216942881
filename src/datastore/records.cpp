#include "zcdp/datastore/records.hpp"

#include <algorithm>
#include <cstring>

#include "zcdp/base/varint.hpp"

namespace zcdp::datastore {
namespace {

constexpr uint8_t kWhole = 1, kChunks = 2, kKindBits = 3, kExecutable = 4;
/// docs/formats.md, "Manifest".
constexpr uint64_t kFileBytesMax = uint64_t{1} << 50;
constexpr size_t kVarintBytesMax = 10;

Error corrupt(const char* what) { return Error(ErrorKind::corrupt, what, "an upload's records"); }

void append_start(std::string& out, const Digest& digest, uint64_t size_bytes, bool executable) {
    out.push_back(
        static_cast<char>((digest.kind == DigestKind::sha256 ? kWhole : kChunks) | (executable ? kExecutable : 0)));
    put_varint(out, size_bytes);
    out.append(reinterpret_cast<const char*>(digest.bytes.data()), digest.bytes.size());
}

/// Reads a record's fields one after another; `cut_off` when there is not enough of it yet.
class Fields {
  public:
    explicit Fields(std::string_view bytes) : left_(bytes), all_(bytes.size()) {}
    bool cut_off() const { return cut_off_; }
    bool wrong() const { return wrong_; }
    size_t used() const { return all_ - left_.size(); }
    size_t left() const { return left_.size(); }

    uint8_t byte() {
        if (left_.empty()) return cut_off_ = true, uint8_t{0};
        const auto value = static_cast<uint8_t>(left_[0]);
        left_.remove_prefix(1);
        return value;
    }
    uint64_t varint() {
        uint64_t value = 0;
        for (size_t i = 0; i < kVarintBytesMax; ++i) {
            const uint64_t next = byte();
            if (cut_off_) return 0;
            const uint64_t bits = next & 0x7f;
            if (i == kVarintBytesMax - 1 && bits > 1) break;
            value |= bits << (7 * i);
            if (next < 0x80) {
                if (next == 0 && i > 0) break;  // not the shortest form
                return value;
            }
        }
        wrong_ = true;
        return 0;
    }
    Sha256Bytes sha256() {
        Sha256Bytes value{};
        if (left_.size() < value.size()) return cut_off_ = true, value;
        std::memcpy(value.data(), left_.data(), value.size());
        left_.remove_prefix(value.size());
        return value;
    }

  private:
    std::string_view left_;
    const size_t all_;
    bool cut_off_ = false, wrong_ = false;
};

struct Start {
    Digest digest;
    uint64_t size_bytes = 0;
    bool executable = false;
};

/// nullptr, or what is wrong with it.
const char* read_start(Fields& fields, Start& start) {
    const uint8_t kind = fields.byte();
    if (fields.cut_off()) return nullptr;
    if ((kind & kKindBits) != kWhole && (kind & kKindBits) != kChunks) return "there is no such kind of record";
    if ((kind & ~(kKindBits | kExecutable)) != 0) return "there is no such kind of record";
    start.digest.kind = (kind & kKindBits) == kWhole ? DigestKind::sha256 : DigestKind::sha256tree;
    start.executable = (kind & kExecutable) != 0;
    start.size_bytes = fields.varint();
    if (fields.wrong()) return "a number is none";
    if (fields.cut_off()) return nullptr;
    if (start.size_bytes > kFileBytesMax) return "a file is larger than any can be";
    if ((start.size_bytes <= kChunkBytes) != (start.digest.kind == DigestKind::sha256))
        return "the kind of a record does not go with its size";
    start.digest.bytes = fields.sha256();
    return nullptr;
}

}  // namespace

void append_record(std::string& out, const ContentRecord& record) {
    append_start(out, record.digest, record.size_bytes, record.executable);
    for (const Sha256Bytes& chunk : record.chunks)
        out.append(reinterpret_cast<const char*>(chunk.data()), chunk.size());
}

void append_header(std::string& out, const ChunkHeader& header) {
    append_start(out, header.digest, header.size_bytes, header.executable);
    if (header.digest.kind == DigestKind::sha256) return;
    put_varint(out, header.chunk);
    out.append(reinterpret_cast<const char*>(header.chunk_digest.data()), header.chunk_digest.size());
}

Result<> RecordReader::feed(std::string_view piece) {
    if (ended_ && !piece.empty()) return corrupt("something follows their end");
    input_.erase(0, at_);
    at_ = 0;
    bytes_ = {};
    input_.append(piece);
    return {};
}

Result<RecordReader::Found> RecordReader::next() {
    bytes_ = {};
    if (bytes_left_ > 0) {
        const size_t count = static_cast<size_t>(std::min<uint64_t>(bytes_left_, unread().size()));
        if (count == 0) return Found::nothing;
        bytes_ = std::as_bytes(std::span(unread().data(), count));
        at_ += count, bytes_left_ -= count;
        return Found::bytes;
    }
    if (ended_) {
        if (!unread().empty()) return corrupt("something follows their end");
        return Found::end;
    }
    if (unread().empty()) return Found::nothing;
    if (unread()[0] == kRecordsEnd) {
        ++at_, ended_ = true;
        return next();
    }
    ZCDP_TRY(const bool whole, bodies_ == Bodies::none ? read_content() : read_header());
    if (!whole) return Found::nothing;
    return bodies_ == Bodies::none ? Found::content : Found::header;
}

Result<bool> RecordReader::read_content() {
    Fields fields(unread());
    Start start;
    if (const char* problem = read_start(fields, start)) return corrupt(problem);
    if (fields.cut_off()) return false;
    const uint64_t chunks = start.digest.kind == DigestKind::sha256 ? 0 : chunk_count(start.size_bytes);
    if (fields.left() / sizeof(Sha256Bytes) < chunks) return false;
    content_ = {start.digest, start.size_bytes, start.executable, {}};
    content_.chunks.reserve(chunks);
    for (uint64_t i = 0; i < chunks; ++i) content_.chunks.push_back(fields.sha256());
    if (chunks > 0 && digest_of_chunks(content_.chunks) != content_.digest)
        return corrupt("a file's chunks are not those of its digest");
    at_ += fields.used();
    return true;
}

Result<bool> RecordReader::read_header() {
    Fields fields(unread());
    Start start;
    if (const char* problem = read_start(fields, start)) return corrupt(problem);
    header_ = {start.digest, start.size_bytes, start.executable, 0, start.digest.bytes};
    if (start.digest.kind == DigestKind::sha256tree && !fields.cut_off()) {
        header_.chunk = fields.varint();
        header_.chunk_digest = fields.sha256();
        if (fields.wrong()) return corrupt("a number is none");
    }
    if (fields.cut_off()) return false;
    if (header_.chunk >= chunk_count(header_.size_bytes)) return corrupt("a chunk lies beyond its file's end");
    at_ += fields.used();
    bytes_left_ = header_.length();
    return true;
}

}  // namespace zcdp::datastore
