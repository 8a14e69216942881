// The CRCs that S3 keeps for whole objects, as running states that combine: each chunk is summed on its own, in any
// order, and the whole object's value follows from the chunks' values and lengths.
//
// Values are as S3 states them: reflected, started and finished with all ones. Thread rule: values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "zcdp/origin/origin.hpp"

namespace zcdp::origin {

enum class CrcKind : uint8_t {
    crc32,      ///< ISO-HDLC: gzip, Ethernet
    crc32c,     ///< Castagnoli (RFC 3720)
    crc64xz,    ///< ECMA-182, reflected: xz, Alibaba OSS
    crc64nvme,  ///< NVM Express; what new S3 uploads carry by default
};

/// The running state of one piece of bytes.
class Crc {
  public:
    explicit Crc(CrcKind kind) : kind_(kind) {}

    CrcKind kind() const { return kind_; }
    void update(std::span<const std::byte> bytes);
    void update(std::string_view bytes) { update(std::as_bytes(std::span(bytes.data(), bytes.size()))); }
    /// The value of all bytes so far; the state can go on.
    uint64_t value() const { return value_; }

    static uint64_t of(CrcKind kind, std::string_view bytes);

  private:
    CrcKind kind_;
    uint64_t value_ = 0;
};

/// The CRC of A followed by B, from the CRC of each and the length of B.
uint64_t crc_combine(CrcKind kind, uint64_t crc_a, uint64_t crc_b, uint64_t b_bytes);

/// The value as ObjectChecksum::raw has it: big-endian, 4 or 8 bytes.
std::string crc_raw(CrcKind kind, uint64_t value);

/// Which CRC an origin's checksum is; nullopt when it is none or a hash.
std::optional<CrcKind> crc_kind(ObjectChecksum::Kind kind);

/// For tests: the same sum without special instructions.
uint64_t crc_update_portable(CrcKind kind, uint64_t value, std::span<const std::byte> bytes);

}  // namespace zcdp::origin
