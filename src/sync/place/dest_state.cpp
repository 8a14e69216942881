#include "src/sync/place/dest_state.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cstring>

#include "zcdp/base/varint.hpp"
#include "zcdp/origin/checksums.hpp"

namespace zcdp::sync {
namespace {

constexpr std::string_view kMagic = "zcdp destination 1\n";
constexpr std::string_view kMagicAnyVersion = "zcdp destination ";
constexpr size_t kBufferBytes = 256 << 10;
constexpr size_t kRecordBytesMax = 64 << 20;  // 5 TB have 655,360 chunks of 32 bytes
constexpr size_t kHeadBytes = 8;              // u32 length, u32 CRC-32C of the payload

void put_text(std::string& out, std::string_view text) {
    put_varint(out, text.size());
    out += text;
}

/// Reads fields from a payload; `ok` turns false at the first that does not fit.
struct Fields {
    std::string_view left;
    bool ok = true;

    uint64_t number() {
        uint64_t value = 0;
        for (unsigned shift = 0; shift < 64 && !left.empty(); shift += 7) {
            const auto byte = static_cast<unsigned char>(left.front());
            left.remove_prefix(1);
            value |= uint64_t{byte & 0x7fu} << shift;
            if (byte < 0x80) return value;
        }
        ok = false;
        return 0;
    }
    std::string_view bytes(uint64_t count) {
        if (count > left.size()) {
            ok = false;
            return {};
        }
        const auto taken = left.substr(0, count);
        left.remove_prefix(count);
        return taken;
    }
    std::string_view text() { return bytes(number()); }
    Sha256Bytes sha256() {
        Sha256Bytes value{};
        const auto raw = bytes(value.size());
        if (ok) std::memcpy(value.data(), raw.data(), value.size());
        return value;
    }
};

void put_digest(std::string& out, const Sha256Bytes& bytes) {
    out.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

std::string encode(const DestRecord& record) {
    const store::ManifestEntry& entry = record.entry;
    std::string out;
    out.push_back(
        static_cast<char>(static_cast<uint8_t>(entry.kind) | (entry.executable ? 4 : 0) | (record.extra ? 8 : 0)));
    put_text(out, entry.path);
    if (entry.kind == store::FileKind::symlink) put_text(out, entry.symlink_target);
    if (entry.kind != store::FileKind::file) return out;
    put_text(out, record.tag.str());
    put_varint(out, entry.size_bytes);
    put_varint(out, static_cast<uint64_t>(record.mtime_ns));
    put_varint(out, record.inode);
    out.push_back(static_cast<char>(entry.digest.kind));
    put_digest(out, entry.digest.bytes);
    put_varint(out, entry.chunks.size());
    for (const auto& chunk : entry.chunks) put_digest(out, chunk);
    return out;
}

bool decode(std::string_view payload, DestRecord& into) {
    Fields fields{payload};
    into = {};
    const uint64_t flags = fields.number();
    if ((flags & 3) > 2) return false;
    store::ManifestEntry& entry = into.entry;
    entry.kind = static_cast<store::FileKind>(flags & 3);
    entry.executable = (flags & 4) != 0;
    into.extra = (flags & 8) != 0;
    entry.path = fields.text();
    if (entry.kind == store::FileKind::symlink) entry.symlink_target = fields.text();
    if (entry.kind != store::FileKind::file) return fields.ok && fields.left.empty();
    into.tag = Tag(fields.text());
    entry.size_bytes = fields.number();
    into.mtime_ns = static_cast<int64_t>(fields.number());
    into.inode = fields.number();
    entry.digest.kind = fields.number() == 2 ? DigestKind::sha256tree : DigestKind::sha256;
    entry.digest.bytes = fields.sha256();
    const uint64_t chunks = fields.number();
    if (chunks > fields.left.size() / sizeof(Sha256Bytes)) return false;
    for (uint64_t i = 0; i < chunks; ++i) entry.chunks.push_back(fields.sha256());
    return fields.ok && fields.left.empty();
}

uint32_t checksum(std::string_view payload) {
    return static_cast<uint32_t>(origin::Crc::of(origin::CrcKind::crc32c, payload));
}

}  // namespace

bool as_it_was_put(const DestRecord& record, const struct stat& st) {
    switch (record.entry.kind) {
        case store::FileKind::directory: return S_ISDIR(st.st_mode);
        case store::FileKind::symlink: return S_ISLNK(st.st_mode);
        case store::FileKind::file: break;
    }
    return S_ISREG(st.st_mode) && static_cast<uint64_t>(st.st_size) == record.entry.size_bytes &&
           int64_t{st.st_mtim.tv_sec} * 1'000'000'000 + st.st_mtim.tv_nsec == record.mtime_ns &&
           st.st_ino == record.inode;
}

Result<> DestStateWriter::add(const DestRecord& record) {
    if (!begun_) buffer_ += kMagic;
    begun_ = true;
    const std::string payload = encode(record);
    const uint32_t head[2] = {static_cast<uint32_t>(payload.size()), checksum(payload)};
    buffer_.append(reinterpret_cast<const char*>(head), sizeof head);
    buffer_ += payload;
    return buffer_.size() < kBufferBytes ? Result<>() : flush(false);
}

Result<> DestStateWriter::flush(bool durable) {
    if (!begun_) buffer_ += kMagic;
    begun_ = true;
    if (auto put = fs_.write(file_.get(), std::as_bytes(std::span(buffer_)), offset_); !put)
        return system_error(put.error(), "writing", name_);
    offset_ += buffer_.size();
    buffer_.clear();
    if (durable)
        if (auto synced = fs_.fdatasync(file_.get()); !synced) return system_error(synced.error(), "syncing", name_);
    return {};
}

bool DestRecordReader::fill(size_t bytes) {
    if (end_ - begin_ >= bytes) return true;
    if (end_ > begin_) std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_, begin_ = 0;
    buffer_.resize(std::max({buffer_.size(), kBufferBytes, bytes}));
    const auto got = fs_.read(file_.get(), std::as_writable_bytes(std::span(buffer_).subspan(end_)), offset_);
    if (!got) return false;
    offset_ += *got, end_ += *got;
    return end_ >= bytes;
}

bool DestRecordReader::next(DestRecord& into) {
    if (!begun_) {
        begun_ = true;
        if (!fill(kMagic.size()) || std::string_view(buffer_.data(), kMagic.size()) != kMagic) return false;
        begin_ += kMagic.size();
    }
    if (!fill(kHeadBytes)) return false;
    uint32_t head[2];
    std::memcpy(head, buffer_.data() + begin_, sizeof head);
    if (head[0] > kRecordBytesMax || !fill(kHeadBytes + head[0])) return false;
    const std::string_view payload(buffer_.data() + begin_ + kHeadBytes, head[0]);
    if (checksum(payload) != head[1] || !decode(payload, into)) return false;
    begin_ += kHeadBytes + head[0];
    return true;
}

Result<std::unique_ptr<DestState>> DestState::open(Fs& fs, int folder, const std::string& name) {
    auto state = std::unique_ptr<DestState>(new DestState);
    for (const char* file : {"state", "journal"}) {
        auto fd = fs.open(folder, file, O_RDONLY);
        if (!fd && fd.error() == boost::system::errc::no_such_file_or_directory) continue;
        if (!fd) return system_error(fd.error(), "opening", name + "/" + file);
        char magic[kMagic.size()] = {};
        const auto got = fs.read(fd->get(), std::as_writable_bytes(std::span(magic)), 0);
        const std::string_view begin(magic, got ? *got : 0);
        if (begin.starts_with(kMagicAnyVersion) && begin != kMagic)
            return Error(ErrorKind::refused, "was written by a newer zcdp", name + "/" + file, "use that one");
        (*file == 's' ? state->state_ : state->journal_).emplace(fs, std::move(*fd));
    }
    return state;
}

bool DestState::next(DestRecord& into) {
    const auto advance = [](std::optional<DestRecordReader>& reader, std::optional<DestRecord>& record) {
        if (!record && reader && !reader->next(record.emplace())) record.reset(), reader.reset();
    };
    advance(state_, from_state_);
    advance(journal_, from_journal_);
    if (!from_state_ && !from_journal_) return false;
    const bool journal = !from_state_ || (from_journal_ && from_journal_->entry.path <= from_state_->entry.path);
    if (journal) {
        if (from_state_ && from_state_->entry.path == from_journal_->entry.path) from_state_.reset();
        into = std::move(*from_journal_);
        from_journal_.reset();
    } else {
        into = std::move(*from_state_);
        from_state_.reset();
    }
    return true;
}

}  // namespace zcdp::sync
