// SHA-256 compression of one to four independent messages at once with the x86 SHA extensions. One message alone waits
// for the latency of each round; with two to four in turn the unit is busy (measured: 1.9, 3.0, 3.5 GB/s for 1, 2, 4).
// FIPS 180-4 section 6.2; the instruction sequence follows Intel's "New Instructions Supporting the Secure Hash Algorithm
// on Intel Architecture Processors" (2013).
// Thread rule: any thread; pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace zcdp {

inline constexpr size_t kSha256LanesMax = 4;
inline constexpr size_t kSha256BlockBytes = 64;
using Sha256Words = std::array<uint32_t, 8>;
inline constexpr Sha256Words kSha256Start{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                          0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

struct Sha256Lane {
    Sha256Words* state;
    const std::byte* data;
};

/// Whether this core has the instructions. False on other architectures.
bool has_sha256_lanes();
/// Feeds `blocks` blocks of each lane to its state. `lanes`: 1 to kSha256LanesMax. Only where has_sha256_lanes().
void compress_sha256_lanes(std::span<const Sha256Lane> lanes, size_t blocks);

}  // namespace zcdp
