// A range's bytes against the checksum that the service states of that very range, as they pass. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "zcdp/base/error.hpp"
#include "zcdp/origin/checksums.hpp"

namespace zcdp::origin {

/// Where a request that begins at `offset` ends: at the next multiple of `checked_bytes` (0: it need not), or at `end`.
inline uint64_t request_end(uint64_t offset, uint64_t end, uint64_t checked_bytes) {
    if (checked_bytes == 0) return end;
    const uint64_t next = (offset / checked_bytes + 1) * checked_bytes;
    return next < end ? next : end;
}

class RangeCheck {
  public:
    /// Of the object's bytes from `first`. A checksum that is no CRC checks nothing.
    RangeCheck(ObjectChecksum stated, uint64_t first);
    void update(std::span<const std::byte> bytes);
    /// All of the range is here. Errors: corrupt, about `object`.
    Result<> finish(const std::string& object) const;

  private:
    ObjectChecksum stated_;
    uint64_t first_, next_;
    std::optional<Crc> crc_;
};

}  // namespace zcdp::origin
