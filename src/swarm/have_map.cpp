#include "zcdp/swarm/have_map.hpp"

#include <bit>

#include "zcdp/base/assert.hpp"
#include "zcdp/base/little_endian.hpp"

namespace zcdp::swarm {
namespace {

constexpr uint64_t kBits = 64;

Error corrupt(std::string what) { return Error(ErrorKind::corrupt, std::move(what), "a have-map"); }

}  // namespace

HaveMap::HaveMap(uint64_t pieces) : pieces_(pieces), words_((pieces + kBits - 1) / kBits) {}

bool HaveMap::has(uint64_t piece) const { return piece < pieces_ && (words_[piece / kBits] >> (piece % kBits) & 1); }

void HaveMap::set(uint64_t piece) {
    ZCDP_ASSERT(piece < pieces_);
    count_ += !has(piece);
    words_[piece / kBits] |= uint64_t{1} << (piece % kBits);
}

void HaveMap::clear(uint64_t piece) {
    ZCDP_ASSERT(piece < pieces_);
    count_ -= has(piece);
    words_[piece / kBits] &= ~(uint64_t{1} << (piece % kBits));
}

void HaveMap::set_all() {
    words_.assign(words_.size(), ~uint64_t{0});
    if (pieces_ % kBits != 0) words_.back() = (uint64_t{1} << (pieces_ % kBits)) - 1;
    count_ = pieces_;
}

void HaveMap::remove(const HaveMap& other) {
    ZCDP_ASSERT(other.pieces_ == pieces_);
    count_ = 0;
    for (size_t word = 0; word < words_.size(); ++word) {
        words_[word] &= ~other.words_[word];
        count_ += static_cast<uint64_t>(std::popcount(words_[word]));
    }
}

std::optional<uint64_t> HaveMap::first_wanted(const HaveMap& other, uint64_t from) const {
    ZCDP_ASSERT(other.pieces_ == pieces_);
    for (uint64_t word = from / kBits; word < words_.size(); ++word) {
        uint64_t wanted = other.words_[word] & ~words_[word];
        if (word == from / kBits) wanted &= ~uint64_t{0} << (from % kBits);
        if (wanted != 0) return word * kBits + static_cast<uint64_t>(std::countr_zero(wanted));
    }
    return std::nullopt;
}

uint64_t HaveMap::count_wanted(const HaveMap& other) const {
    ZCDP_ASSERT(other.pieces_ == pieces_);
    uint64_t count = 0;
    for (size_t word = 0; word < words_.size(); ++word)
        count += static_cast<uint64_t>(std::popcount(other.words_[word] & ~words_[word]));
    return count;
}

size_t HaveMap::encoded_bytes(uint64_t pieces) { return kU64Bytes + (pieces + 7) / 8; }

std::string HaveMap::encode() const {
    std::string out;
    out.reserve(encoded_bytes(pieces_));
    put_u64(out, pieces_);
    for (uint64_t byte = 0; byte < (pieces_ + 7) / 8; ++byte)
        out += static_cast<char>(words_[byte / 8] >> (8 * (byte % 8)) & 0xff);
    return out;
}

Result<HaveMap> HaveMap::decode(std::string_view bytes, uint64_t pieces) {
    if (bytes.size() < kU64Bytes || get_u64(bytes) != pieces)
        return corrupt("is not of " + std::to_string(pieces) + " pieces");
    bytes.remove_prefix(kU64Bytes);
    if (bytes.size() != (pieces + 7) / 8) return corrupt("has another length than its pieces say");
    HaveMap map(pieces);
    for (uint64_t byte = 0; byte < bytes.size(); ++byte)
        map.words_[byte / 8] |= uint64_t{static_cast<uint8_t>(bytes[byte])} << (8 * (byte % 8));
    if (pieces % kBits != 0 && map.words_.back() >> (pieces % kBits) != 0)
        return corrupt("has bits beyond its last piece");
    for (const uint64_t word : map.words_) map.count_ += static_cast<uint64_t>(std::popcount(word));
    return map;
}

}  // namespace zcdp::swarm
