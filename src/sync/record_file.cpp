#include "zcdp/sync/record_file.hpp"

#include <algorithm>
#include <cstring>

#include "zcdp/base/varint.hpp"
#include "zcdp/origin/checksums.hpp"

namespace zcdp::sync {
namespace {

constexpr size_t kBufferBytes = 256 << 10;
constexpr size_t kRecordBytesMax = 64 << 20;  // 5 TB have 655,360 chunks of 32 bytes
constexpr size_t kHeadBytes = 8;              // u32 length, u32 CRC-32C of the payload

uint32_t checksum(std::string_view payload) {
    return static_cast<uint32_t>(origin::Crc::of(origin::CrcKind::crc32c, payload));
}

}  // namespace

Result<> RecordFileWriter::add(std::string_view payload) {
    const uint32_t head[2] = {static_cast<uint32_t>(payload.size()), checksum(payload)};
    buffer_.append(reinterpret_cast<const char*>(head), sizeof head);
    buffer_ += payload;
    return buffer_.size() < kBufferBytes ? Result<>() : flush(false);
}

Result<> RecordFileWriter::flush(bool durable) {
    if (auto put = fs_.write(fd_, std::as_bytes(std::span(buffer_)), offset_); !put)
        return system_error(put.error(), "writing", name_);
    offset_ += buffer_.size();
    buffer_.clear();
    if (durable)
        if (auto synced = fs_.fdatasync(fd_); !synced) return system_error(synced.error(), "syncing", name_);
    return {};
}

bool RecordFileReader::fill(size_t bytes) {
    if (end_ - begin_ >= bytes) return true;
    if (end_ > begin_) std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_, begin_ = 0;
    buffer_.resize(std::max({buffer_.size(), kBufferBytes, bytes}));
    const auto got = fs_.read(fd_, std::as_writable_bytes(std::span(buffer_).subspan(end_)), offset_);
    if (!got) return false;
    offset_ += *got, end_ += *got;
    return end_ >= bytes;
}

std::optional<std::string_view> RecordFileReader::next() {
    if (!begun_) {
        begun_ = true;
        if (!fill(magic_.size()) || std::string_view(buffer_.data(), magic_.size()) != magic_) return std::nullopt;
        begin_ += magic_.size();
    }
    if (!fill(kHeadBytes)) return std::nullopt;
    uint32_t head[2];
    std::memcpy(head, buffer_.data() + begin_, sizeof head);
    if (head[0] > kRecordBytesMax || !fill(kHeadBytes + head[0])) return std::nullopt;
    const std::string_view payload(buffer_.data() + begin_ + kHeadBytes, head[0]);
    if (checksum(payload) != head[1]) return std::nullopt;
    begin_ += kHeadBytes + head[0];
    return payload;
}

void put_text(std::string& out, std::string_view text) {
    put_varint(out, text.size());
    out += text;
}

void put_sha256(std::string& out, const Sha256Bytes& bytes) {
    out.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

uint64_t RecordFields::number() {
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

std::string_view RecordFields::bytes(uint64_t count) {
    if (count > left.size()) {
        ok = false;
        return {};
    }
    const auto taken = left.substr(0, count);
    left.remove_prefix(count);
    return taken;
}

Sha256Bytes RecordFields::sha256() {
    Sha256Bytes value{};
    const auto raw = bytes(value.size());
    if (ok) std::memcpy(value.data(), raw.data(), value.size());
    return value;
}

}  // namespace zcdp::sync
