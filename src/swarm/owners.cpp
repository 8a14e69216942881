#include "zcdp/swarm/owners.hpp"

#include <algorithm>

#include "zcdp/base/digest.hpp"
#include "zcdp/base/little_endian.hpp"

namespace zcdp::swarm {
namespace {

constexpr uint32_t kUnknown = UINT32_MAX;
constexpr uint64_t kPlacesOfOthers = 4096;
constexpr uint64_t kGoldenGamma = 0x9e3779b97f4a7c15;

uint64_t splitmix64(uint64_t state) {
    state += kGoldenGamma;
    state = (state ^ (state >> 30)) * 0xbf58476d1ce4e5b9;
    state = (state ^ (state >> 27)) * 0x94d049bb133111eb;
    return state ^ (state >> 31);
}

/// How much the member of this seed wants the piece.
uint64_t weight(uint64_t seed, uint64_t piece) { return splitmix64(seed + piece * kGoldenGamma); }

uint64_t seed_of(const Revision& revision, const std::string& member) {
    return get_u64(Sha256::of(revision.str() + '\0' + member));
}

}  // namespace

Owners::Owners(const Revision& revision, std::vector<std::string> members)
    : revision_(revision), members_(std::move(members)) {
    std::sort(members_.begin(), members_.end());
    for (const std::string& member : members_) seeds_.push_back(seed_of(revision, member));
}

std::optional<size_t> Owners::owner_of(uint64_t piece) const {
    if (seeds_.empty()) return std::nullopt;
    if (piece >= owners_.size()) owners_.resize(piece + 1, kUnknown);
    if (owners_[piece] == kUnknown) {
        size_t owner = 0;
        for (size_t i = 1; i < seeds_.size(); ++i)
            if (weight(seeds_[i], piece) > weight(seeds_[owner], piece)) owner = i;
        owners_[piece] = static_cast<uint32_t>(owner);
    }
    return owners_[piece];
}

uint64_t Owners::turn_of(uint64_t piece, const std::string& name) const {
    const auto at = std::lower_bound(members_.begin(), members_.end(), name);
    const bool is_member = at != members_.end() && *at == name;
    if (!is_member) return seeds_.size() + weight(seed_of(revision_, name), piece) % kPlacesOfOthers;
    const auto member = static_cast<size_t>(at - members_.begin());
    const uint64_t mine = weight(seeds_[member], piece);
    uint64_t turn = 0;
    for (size_t i = 0; i < seeds_.size(); ++i) {
        const uint64_t other = weight(seeds_[i], piece);
        turn += other > mine || (other == mine && i < member);
    }
    return turn;
}

}  // namespace zcdp::swarm
