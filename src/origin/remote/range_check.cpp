#include "src/origin/remote/range_check.hpp"

#include <fmt/format.h>

#include "zcdp/base/digest.hpp"
#include "zcdp/base/faults.hpp"

namespace zcdp::origin {
RangeCheck::RangeCheck(ObjectChecksum stated, uint64_t first)
    : stated_(std::move(stated)), first_(first), next_(first) {
    if (const auto kind = crc_kind(stated_.kind)) crc_.emplace(*kind);
}

void RangeCheck::update(std::span<const std::byte> bytes) {
    next_ += bytes.size();
    if (crc_) crc_->update(bytes);
}

Result<> RangeCheck::finish(const std::string& object) const {
    if (!crc_) return {};
    const std::string have = crc_raw(crc_->kind(), crc_->value());
    if (have == stated_.raw || faults::broken("range-checksum")) return {};
    return Error(ErrorKind::corrupt,
                 fmt::format("bytes {}-{} were received with CRC {}, the origin states {}", first_, next_ - 1,
                             to_hex_of(have), to_hex_of(stated_.raw)),
                 object, "look for what changes them on the way, such as a proxy");
}

}  // namespace zcdp::origin
