#include "src/sync/plan/stated_sum.hpp"

#include <fmt/format.h>

#include "zcdp/base/digest.hpp"

namespace zcdp::sync {

using Kind = origin::ObjectChecksum::Kind;

std::string stated_sum(const origin::ObjectChecksum& checksum) {
    const std::string hex = to_hex_of(checksum.raw);
    switch (checksum.kind) {
        case Kind::sha256:
            return checksum.is_composite() ? fmt::format("sha256 of {} parts:{}", checksum.parts, hex)
                                           : "sha256:" + hex;
        case Kind::crc64nvme: return checksum.is_composite() ? "" : "crc64nvme:" + hex;
        case Kind::crc64xz: return checksum.is_composite() ? "" : "crc64xz:" + hex;
        default: return "";
    }
}

bool is_unforgeable(const origin::ObjectChecksum& checksum) { return checksum.kind == Kind::sha256; }

}  // namespace zcdp::sync
