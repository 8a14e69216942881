#include "src/sync/fetch/piece_crcs.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

#include "zcdp/base/digest.hpp"

namespace zcdp::sync {
namespace {

constexpr uint64_t kNever = std::numeric_limits<uint64_t>::max();

uint64_t next_multiple(uint64_t offset, uint64_t of) {
    return offset / of < kNever / of ? (offset / of + 1) * of : kNever;
}

/// The least common multiple; kNever when it is beyond all sizes.
uint64_t common_multiple(uint64_t a, uint64_t b) {
    const uint64_t factor = a / std::gcd(a, b);
    return factor > kNever / b ? kNever : factor * b;
}

}  // namespace

PieceCrcs::PieceCrcs(origin::CrcKind kind, uint64_t size_bytes, uint64_t part_bytes)
    : kind_(kind),
      size_bytes_(size_bytes),
      part_bytes_(part_bytes > 0 ? part_bytes : kNever),
      common_bytes_(common_multiple(kChunkBytes, part_bytes_)) {
    crcs_.resize(size_bytes > 0 ? index_of(size_bytes) + 1 : 0);
}

uint64_t PieceCrcs::piece_end(uint64_t offset) const {
    return std::min({next_multiple(offset, kChunkBytes), next_multiple(offset, part_bytes_), size_bytes_});
}

/// How many pieces end before `end`.
size_t PieceCrcs::index_of(uint64_t end) const {
    const uint64_t before = end - 1;
    return before / kChunkBytes + before / part_bytes_ - before / common_bytes_;
}

void PieceCrcs::set(uint64_t end, uint64_t crc) { crcs_[index_of(end)] = crc; }

uint64_t PieceCrcs::combined(uint64_t begin, uint64_t end) const {
    uint64_t at = piece_end(begin), value = crcs_[index_of(at)];
    while (at < end) {
        const uint64_t next = piece_end(at);
        value = origin::crc_combine(*kind_, value, crcs_[index_of(next)], next - at);
        at = next;
    }
    return value;
}

std::string PieceCrcs::whole() const { return origin::crc_raw(*kind_, combined(0, size_bytes_)); }

std::string PieceCrcs::of_parts() const {
    origin::Crc sum(*kind_);
    for (uint64_t at = 0; at < size_bytes_;) {
        const uint64_t end = std::min(next_multiple(at, part_bytes_), size_bytes_);
        sum.update(origin::crc_raw(*kind_, combined(at, end)));
        at = end;
    }
    return origin::crc_raw(*kind_, sum.value());
}

void RunningCrc::update(uint64_t at, std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const uint64_t end = pieces_.piece_end(at);
        const auto piece = bytes.first(std::min<uint64_t>(bytes.size(), end - at));
        crc_.update(piece);
        at += piece.size(), bytes = bytes.subspan(piece.size());
        if (at != end) return;
        pieces_.set(end, crc_.value());
        restart();
    }
}

}  // namespace zcdp::sync
