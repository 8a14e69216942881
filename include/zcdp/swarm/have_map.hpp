// Which pieces somebody has: a bit each, and the same as bytes between nodes (docs/formats.md, "Have-maps").
// Thread rule: values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "zcdp/base/error.hpp"

namespace zcdp::swarm {

class HaveMap {
  public:
    /// Nothing is there.
    explicit HaveMap(uint64_t pieces = 0);

    uint64_t pieces() const { return pieces_; }
    uint64_t count() const { return count_; }
    bool full() const { return count_ == pieces_; }
    /// False also for a number that is no piece's.
    bool has(uint64_t piece) const;
    /// Contract: piece < pieces() (checked). Said twice, it counts once.
    void set(uint64_t piece);
    void clear(uint64_t piece);
    void set_all();
    /// All that `other`, a map of as many pieces, has.
    void remove(const HaveMap& other);

    /// The first piece from `from` on that `other`, a map of as many pieces, has and this one has not.
    std::optional<uint64_t> first_wanted(const HaveMap& other, uint64_t from = 0) const;
    /// How many pieces `other` has and this one has not.
    uint64_t count_wanted(const HaveMap& other) const;

    std::string encode() const;
    /// Of what encode() gives.
    static size_t encoded_bytes(uint64_t pieces);
    /// Errors: corrupt for anything that encode() does not write, and for a map of another number of pieces.
    static Result<HaveMap> decode(std::string_view bytes, uint64_t pieces);

    bool operator==(const HaveMap&) const = default;

  private:
    uint64_t pieces_ = 0, count_ = 0;
    std::vector<uint64_t> words_;  ///< piece i is bit i % 64 of word i / 64; what is beyond the last piece is zero
};

}  // namespace zcdp::swarm
