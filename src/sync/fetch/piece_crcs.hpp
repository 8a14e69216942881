// The CRCs of an object that is fetched in chunks in any order, cut at the end of every chunk and of every part that it
// was uploaded in: the CRC of the whole follows from them, and so does the composite that an origin states of the
// parts.
//
// Thread rule: set() from any thread for different pieces; the rest when all are set. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "zcdp/origin/checksums.hpp"

namespace zcdp::sync {

class PieceCrcs {
  public:
    /// None are wanted.
    PieceCrcs() = default;
    /// `part_bytes`: of every part but the last, which may be shorter; 0: there are no parts.
    PieceCrcs(origin::CrcKind kind, uint64_t size_bytes, uint64_t part_bytes);

    bool wanted() const { return kind_.has_value(); }
    origin::CrcKind kind() const { return *kind_; }
    /// Where the piece that has the byte at `offset` ends.
    uint64_t piece_end(uint64_t offset) const;
    /// The CRC of the piece that ends at `end`.
    void set(uint64_t end, uint64_t crc);

    /// As ObjectChecksum::raw has it: of the whole object.
    std::string whole() const;
    /// And of the parts' CRCs, one after the other.
    std::string of_parts() const;

  private:
    size_t index_of(uint64_t end) const;
    /// The CRC of [begin, end), both of which end pieces.
    uint64_t combined(uint64_t begin, uint64_t end) const;

    std::optional<origin::CrcKind> kind_;
    uint64_t size_bytes_ = 0, part_bytes_ = 0;
    uint64_t common_bytes_ = 0;  ///< at its multiples a chunk and a part end together
    std::vector<uint64_t> crcs_;
};

/// A CRC that runs along with bytes and notes the pieces' values.
class RunningCrc {
  public:
    explicit RunningCrc(PieceCrcs& pieces) : pieces_(pieces), crc_(pieces.kind()) {}
    /// The object's bytes from `at`, where the last ones ended or a piece begins.
    void update(uint64_t at, std::span<const std::byte> bytes);
    /// The next bytes begin a piece: what came of this one is forgotten.
    void restart() { crc_ = origin::Crc(pieces_.kind()); }

  private:
    PieceCrcs& pieces_;
    origin::Crc crc_;
};

}  // namespace zcdp::sync
