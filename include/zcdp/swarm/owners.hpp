// Who asks the origin for a piece that nobody has: one member of the swarm, whom all find without asking anybody, by
// rendezvous hashing (Thaler and Ravishankar, "Using name-based mappings to increase hit rates", 1998). Whoever joins
// or leaves changes few owners beside those of its own share.
//
// Of about as many pieces in a row as there are owners, a round, each owns one. Who had several of them would have to
// bring all of those to the others alone, and its uplink would be what all wait for. Rounds are of a power of two of
// pieces, so that they stay where they are when a member comes or goes.
//
// Pure. Thread rule: belongs to one thread.
#pragma once

#include <bit>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "zcdp/base/ids.hpp"

namespace zcdp::swarm {

/// How much `member` wants the piece: of all members that own the fewest of the round's pieces before it, the one that
/// wants it most owns it; of the others, the one that wants it most takes over. The first eight
/// bytes, little-endian, of SHA-256(revision \0 member) are the member's seed in this swarm; the weight is splitmix64
/// (Steele, Lea and Flood, 2014) of the seed plus the piece's number times its golden gamma.
class Owners {
  public:
    /// Members in any order, each once; may be none: then everybody comes after all.
    Owners(const Revision& revision, std::vector<std::string> members);

    /// Sorted.
    const std::vector<std::string>& members() const { return members_; }
    std::optional<size_t> index_of(const std::string& member) const;
    /// The member, as its index in members(), that owns the piece; nobody when there are none. Remembered, for it is
    /// asked often.
    std::optional<size_t> owner_of(uint64_t piece) const;
    /// How many come before this one: 0 for the owner, 1 for who takes over from it. Somebody who is no member comes
    /// after all members, at a place of its own, so that not all such come at once.
    uint64_t turn_of(uint64_t piece, const std::string& name) const;

  private:
    /// Pieces of a round; a power of two, for what a change of it changes.
    uint64_t round() const { return std::bit_ceil(seeds_.size()); }
    void find_round(uint64_t first_piece) const;

    Revision revision_;
    std::vector<std::string> members_;
    std::vector<uint64_t> seeds_;
    mutable std::vector<uint32_t> owners_;  ///< by piece; kUnknown where nobody has asked
};

}  // namespace zcdp::swarm
