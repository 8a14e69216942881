#include "src/sync/list/spool.hpp"

#include <algorithm>
#include <cstring>

#include "zcdp/base/varint.hpp"

namespace zcdp::sync {
namespace {

// Record: u32 length of the rest, varints (shared prefix, suffix, tag, symlink target lengths, size), flags byte,
// then suffix, tag, target and, if known, the digest's kind and bytes. Little-endian; read by this process only.
constexpr uint8_t kKindMask = 3, kExecutable = 4, kSameKey = 8;
constexpr unsigned kKnowledgeShift = 4;

uint64_t get_varint(const char*& at) {
    uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
        const auto byte = static_cast<unsigned char>(*at++);
        value |= uint64_t{byte & 0x7fu} << shift;
        if (byte < 0x80) return value;
    }
}

size_t shared_prefix(std::string_view a, std::string_view b) {
    const size_t length = std::min(a.size(), b.size());
    return static_cast<size_t>(std::mismatch(a.begin(), a.begin() + length, b.begin()).first - a.begin());
}

}  // namespace

Result<> SpoolWriter::add(const origin::Entry& entry, const SpoolEntry& record) {
    const size_t shared = shared_prefix(last_path_, entry.path);
    const size_t start = buffer_.size();
    buffer_.append(4, '\0');
    put_varint(buffer_, shared);
    put_varint(buffer_, entry.path.size() - shared);
    put_varint(buffer_, entry.tag.str().size());
    put_varint(buffer_, entry.symlink_target.size());
    put_varint(buffer_, entry.size_bytes);
    buffer_.push_back(static_cast<char>(static_cast<uint8_t>(entry.kind) | (entry.executable ? kExecutable : 0) |
                                        (record.same_key ? kSameKey : 0) |
                                        (static_cast<uint8_t>(record.knowledge) << kKnowledgeShift)));
    buffer_.append(entry.path, shared);
    buffer_ += entry.tag.str();
    buffer_ += entry.symlink_target;
    if (record.knowledge != Knowledge::none) {
        buffer_.push_back(static_cast<char>(record.digest.kind));
        buffer_.append(reinterpret_cast<const char*>(record.digest.bytes.data()), record.digest.bytes.size());
    }
    const auto length = static_cast<uint32_t>(buffer_.size() - start - 4);
    std::memcpy(buffer_.data() + start, &length, 4);
    last_path_ = entry.path;
    ++count_;
    return buffer_.size() < SpoolReader::kBufferBytes ? Result<>() : flush();
}

Result<> SpoolWriter::flush() {
    if (auto written = fs_.write(fd_, std::as_bytes(std::span(buffer_)), offset_); !written)
        return system_error(written.error(), "writing the list of objects", "scratch file of the store");
    offset_ += buffer_.size();
    buffer_.clear();
    return {};
}

Result<> SpoolWriter::finish() { return flush(); }

/// Makes at least `bytes` available from begin_.
Result<> SpoolReader::fill(size_t bytes) {
    if (end_ - begin_ >= bytes) return {};
    if (end_ > begin_) std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_, begin_ = 0;
    buffer_.resize(std::max({buffer_.size(), buffer_bytes_, bytes}));
    auto room = std::as_writable_bytes(std::span(buffer_).subspan(end_));
    const auto got = fs_.read(fd_, room, offset_);
    if (!got) return system_error(got.error(), "reading the list of objects", "scratch file of the store");
    offset_ += *got, end_ += *got;
    if (end_ < bytes) return Error(ErrorKind::corrupt, "the list of objects ends early", "scratch file of the store");
    return {};
}

Result<bool> SpoolReader::next(SpoolEntry& into) {
    if (left_ == 0) return false;
    --left_;
    ZCDP_CHECK(fill(4));
    uint32_t length = 0;
    std::memcpy(&length, buffer_.data() + begin_, 4);
    ZCDP_CHECK(fill(4 + length));
    const char* at = buffer_.data() + begin_ + 4;
    const uint64_t shared = get_varint(at), suffix = get_varint(at), tag = get_varint(at), target = get_varint(at);
    origin::Entry& entry = into.entry;
    entry.size_bytes = get_varint(at);
    const auto flags = static_cast<uint8_t>(*at++);
    entry.kind = static_cast<origin::EntryKind>(flags & kKindMask);
    entry.executable = (flags & kExecutable) != 0;
    into.same_key = (flags & kSameKey) != 0;
    into.knowledge = static_cast<Knowledge>(flags >> kKnowledgeShift);
    into.info.reset();
    entry.path.assign(last_path_, 0, shared).append(at, suffix), at += suffix;
    last_path_ = entry.path;
    entry.tag = Tag(std::string_view(at, tag)), at += tag;
    entry.symlink_target.assign(at, target), at += target;
    if (into.knowledge != Knowledge::none) {
        into.digest.kind = static_cast<DigestKind>(*at++);
        std::memcpy(into.digest.bytes.data(), at, into.digest.bytes.size());
    }
    begin_ += 4 + length;
    return true;
}

}  // namespace zcdp::sync
