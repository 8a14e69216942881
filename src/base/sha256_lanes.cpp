#include "src/base/sha256_lanes.hpp"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

namespace zcdp {
namespace {

#define ZCDP_SHA_TARGET __attribute__((target("sha,sse4.1,ssse3")))

/// The first 32 bits of the fractional parts of the cube roots of the first 64 primes (FIPS 180-4, 4.2.2).
alignas(16) constexpr uint32_t kRoundConstants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

/// The state as the instructions want it: words A, B, E, F and C, D, G, H.
struct Registers {
    __m128i abef, cdgh;
};

ZCDP_SHA_TARGET inline Registers load(const Sha256Words& words) {
    const auto* from = reinterpret_cast<const __m128i*>(words.data());
    const __m128i badc = _mm_shuffle_epi32(_mm_loadu_si128(from), 0xb1);
    const __m128i hgfe = _mm_shuffle_epi32(_mm_loadu_si128(from + 1), 0x1b);
    return {_mm_alignr_epi8(badc, hgfe, 8), _mm_blend_epi16(hgfe, badc, 0xf0)};
}

ZCDP_SHA_TARGET inline void store(const Registers& state, Sha256Words& words) {
    auto* to = reinterpret_cast<__m128i*>(words.data());
    const __m128i feba = _mm_shuffle_epi32(state.abef, 0x1b);
    const __m128i dchg = _mm_shuffle_epi32(state.cdgh, 0xb1);
    _mm_storeu_si128(to, _mm_blend_epi16(feba, dchg, 0xf0));
    _mm_storeu_si128(to + 1, _mm_alignr_epi8(dchg, feba, 8));
}

/// Words 4i to 4i+3 of the message schedule: from the block for i < 4, else from the sixteen words before them in `w`.
ZCDP_SHA_TARGET inline __m128i schedule(__m128i (&w)[4], int i, const __m128i* block) {
    if (i < 4) {
        const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
        return w[i] = _mm_shuffle_epi8(_mm_loadu_si128(block + i), big_endian);
    }
    const __m128i seven_back = _mm_alignr_epi8(w[(i + 3) & 3], w[(i + 2) & 3], 4);
    const __m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(w[i & 3], w[(i + 1) & 3]), seven_back);
    return w[i & 3] = _mm_sha256msg2_epu32(sum, w[(i + 3) & 3]);
}

template <int Lanes>
ZCDP_SHA_TARGET void compress(const Sha256Lane* lanes, size_t blocks) {
    Registers state[Lanes];
    const __m128i* data[Lanes];
    for (int lane = 0; lane < Lanes; ++lane) {
        state[lane] = load(*lanes[lane].state);
        data[lane] = reinterpret_cast<const __m128i*>(lanes[lane].data);
    }
    for (; blocks > 0; --blocks) {
        __m128i w[Lanes][4];
        Registers before[Lanes];
        for (int lane = 0; lane < Lanes; ++lane) before[lane] = state[lane];
#pragma GCC unroll 16
        for (int i = 0; i < 16; ++i) {
            const __m128i constants = _mm_load_si128(reinterpret_cast<const __m128i*>(kRoundConstants + 4 * i));
#pragma GCC unroll 4
            for (int lane = 0; lane < Lanes; ++lane) {
                Registers& s = state[lane];
                const __m128i words = _mm_add_epi32(schedule(w[lane], i, data[lane]), constants);
                s.cdgh = _mm_sha256rnds2_epu32(s.cdgh, s.abef, words);
                s.abef = _mm_sha256rnds2_epu32(s.abef, s.cdgh, _mm_shuffle_epi32(words, 0x0e));
            }
        }
        for (int lane = 0; lane < Lanes; ++lane) {
            state[lane].abef = _mm_add_epi32(state[lane].abef, before[lane].abef);
            state[lane].cdgh = _mm_add_epi32(state[lane].cdgh, before[lane].cdgh);
            data[lane] += kSha256BlockBytes / sizeof(__m128i);
        }
    }
    for (int lane = 0; lane < Lanes; ++lane) store(state[lane], *lanes[lane].state);
}

}  // namespace

bool has_sha256_lanes() {
    unsigned a = 0, b = 0, c = 0, d = 0;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (b & bit_SHA) == 0) return false;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_SSE4_1) != 0 && (c & bit_SSSE3) != 0;
}

void compress_sha256_lanes(std::span<const Sha256Lane> lanes, size_t blocks) {
    switch (lanes.size()) {
        case 1: return compress<1>(lanes.data(), blocks);
        case 2: return compress<2>(lanes.data(), blocks);
        case 3: return compress<3>(lanes.data(), blocks);
        default: return compress<4>(lanes.data(), blocks);
    }
}

}  // namespace zcdp

#else

namespace zcdp {
bool has_sha256_lanes() { return false; }
void compress_sha256_lanes(std::span<const Sha256Lane>, size_t) {}
}  // namespace zcdp

#endif
