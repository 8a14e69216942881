// The engines of SHA-256: each compresses up to some number of independent messages at once, with instructions that not
// every core has. One message alone waits for the latency of each round; with several in turn the unit is busy.
// Thread rule: any thread; pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace zcdp {

inline constexpr size_t kSha256LanesMax = 16;  ///< of any engine
inline constexpr size_t kSha256BlockBytes = 64;
using Sha256Words = std::array<uint32_t, 8>;
inline constexpr Sha256Words kSha256Start{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                          0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

/// The first 32 bits of the fractional parts of the cube roots of the first 64 primes (FIPS 180-4, 4.2.2).
alignas(64) inline constexpr std::array<uint32_t, 64> kSha256Constants{
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

struct Sha256Lane {
    Sha256Words* state;
    const std::byte* data;
};

struct Sha256Engine {
    const char* name;
    size_t lanes_max;
    /// Feeds `blocks` blocks of each of 1 to `lanes_max` lanes to its state.
    void (*compress)(std::span<const Sha256Lane> lanes, size_t blocks);
};

/// An engine's compress(), made of a function for each number of lanes, that for one first.
template <void (*... by_lanes)(const Sha256Lane* lanes, size_t blocks)>
void compress_lanes(std::span<const Sha256Lane> lanes, size_t blocks) {
    static constexpr std::array table{by_lanes...};
    table[lanes.size() - 1](lanes.data(), blocks);
}

/// Null where this core, or the system on it, lacks the instructions.
const Sha256Engine* sha256_sha_ni();
const Sha256Engine* sha256_avx512();
const Sha256Engine* sha256_arm();

/// What this core works with: `few` for one lane and some more, `many` where there are enough lanes for it. Both may be
/// null; without `few` there is no `many`.
struct Sha256Choice {
    const Sha256Engine* few;
    const Sha256Engine* many;
};
const Sha256Choice& sha256_choice();
/// How many of `messages` are best fed at once, at most kSha256LanesMax; 1 where there is no engine.
size_t sha256_lanes_for(size_t messages);
/// By the engine that is quickest for so many lanes, 1 to kSha256LanesMax. Only where there is an engine.
void compress_sha256(std::span<const Sha256Lane> lanes, size_t blocks);

}  // namespace zcdp
