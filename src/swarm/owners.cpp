#include "zcdp/swarm/owners.hpp"

#include <algorithm>
#include <bit>
#include <numeric>

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

/// The first piece of a round goes to whom of all members wants it most, the next to one of the others, and so on; then
/// all may have one more.
void Owners::find_round(uint64_t first_piece) const {
    std::vector<uint32_t> left;
    for (uint64_t piece = first_piece; piece < first_piece + round(); ++piece) {
        if (left.empty()) left.resize(seeds_.size()), std::iota(left.begin(), left.end(), 0);
        const auto owner = std::max_element(left.begin(), left.end(), [&](uint32_t a, uint32_t b) {
            return weight(seeds_[a], piece) < weight(seeds_[b], piece);
        });
        owners_[piece] = *owner;
        left.erase(owner);
    }
}

std::optional<size_t> Owners::owner_of(uint64_t piece) const {
    if (seeds_.empty()) return std::nullopt;
    const uint64_t first_piece = piece - piece % round();
    if (piece >= owners_.size()) owners_.resize(first_piece + round(), kUnknown);
    if (owners_[piece] == kUnknown) find_round(first_piece);
    return owners_[piece];
}

std::optional<size_t> Owners::index_of(const std::string& member) const {
    const auto at = std::lower_bound(members_.begin(), members_.end(), member);
    if (at == members_.end() || *at != member) return std::nullopt;
    return static_cast<size_t>(at - members_.begin());
}

uint64_t Owners::turn_of(uint64_t piece, const std::string& name) const {
    const auto member = index_of(name);
    if (!member) return seeds_.size() + weight(seed_of(revision_, name), piece) % kPlacesOfOthers;
    const size_t owner = *owner_of(piece);
    if (*member == owner) return 0;
    const uint64_t mine = weight(seeds_[*member], piece);
    uint64_t turn = 1;
    for (size_t i = 0; i < seeds_.size(); ++i) {
        const uint64_t other = weight(seeds_[i], piece);
        turn += i != owner && (other > mine || (other == mine && i < *member));
    }
    return turn;
}

}  // namespace zcdp::swarm
