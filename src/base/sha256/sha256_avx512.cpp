// SHA-256 compression of sixteen independent messages at once with AVX-512: register i of the message schedule holds
// word i of each of them, and so do the eight of the state. FIPS 180-4 section 6.2.
#include "src/base/sha256/sha256_engine.hpp"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

#include <algorithm>

namespace zcdp {
namespace {

#define ZCDP_AVX512_TARGET __attribute__((target("avx512f,avx512bw,evex512"), always_inline)) inline

constexpr size_t kLanes = 16;
constexpr size_t kBlocksAhead = 8;  ///< to fetch: sixteen streams are too many for the core to see by itself

/// Keeps the compiler from putting sums into another order: what is known late must be added last, for a round waits
/// for the one before it.
ZCDP_AVX512_TARGET __m512i in_this_order(__m512i sum) {
    __asm__("" : "+v"(sum));
    return sum;
}

ZCDP_AVX512_TARGET __m512i xor3(__m512i x, __m512i y, __m512i z) { return _mm512_ternarylogic_epi32(x, y, z, 0x96); }
ZCDP_AVX512_TARGET __m512i choose(__m512i x, __m512i y, __m512i z) { return _mm512_ternarylogic_epi32(x, y, z, 0xca); }
ZCDP_AVX512_TARGET __m512i majority(__m512i x, __m512i y, __m512i z) {
    return _mm512_ternarylogic_epi32(x, y, z, 0xe8);
}

/// Row i becomes column i.
ZCDP_AVX512_TARGET void transpose(__m512i (&rows)[16]) {
    __m512i pairs[16], fours[16];
#pragma GCC unroll 8
    for (int i = 0; i < 16; i += 2) {
        pairs[i] = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
        pairs[i + 1] = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
    }
    // fours[4 * i + j]: column j of each 128 bits, of rows 4i to 4i+3.
#pragma GCC unroll 4
    for (int i = 0; i < 16; i += 4) {
        fours[i] = _mm512_unpacklo_epi64(pairs[i], pairs[i + 2]);
        fours[i + 1] = _mm512_unpackhi_epi64(pairs[i], pairs[i + 2]);
        fours[i + 2] = _mm512_unpacklo_epi64(pairs[i + 1], pairs[i + 3]);
        fours[i + 3] = _mm512_unpackhi_epi64(pairs[i + 1], pairs[i + 3]);
    }
    // The same among the four 128 bits of a register.
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
        const __m512i low_01 = _mm512_shuffle_i32x4(fours[j], fours[4 + j], 0x88);
        const __m512i high_01 = _mm512_shuffle_i32x4(fours[j], fours[4 + j], 0xdd);
        const __m512i low_23 = _mm512_shuffle_i32x4(fours[8 + j], fours[12 + j], 0x88);
        const __m512i high_23 = _mm512_shuffle_i32x4(fours[8 + j], fours[12 + j], 0xdd);
        rows[j] = _mm512_shuffle_i32x4(low_01, low_23, 0x88);
        rows[4 + j] = _mm512_shuffle_i32x4(high_01, high_23, 0x88);
        rows[8 + j] = _mm512_shuffle_i32x4(low_01, low_23, 0xdd);
        rows[12 + j] = _mm512_shuffle_i32x4(high_01, high_23, 0xdd);
    }
}

/// Word i of the message schedule from the sixteen before it, whose place it takes in `w`.
ZCDP_AVX512_TARGET void schedule(__m512i (&w)[16], int i) {
    const __m512i back_2 = w[(i + 14) & 15], back_15 = w[(i + 1) & 15];
    const __m512i sigma_0 =
        xor3(_mm512_ror_epi32(back_15, 7), _mm512_ror_epi32(back_15, 18), _mm512_srli_epi32(back_15, 3));
    const __m512i sigma_1 =
        xor3(_mm512_ror_epi32(back_2, 17), _mm512_ror_epi32(back_2, 19), _mm512_srli_epi32(back_2, 10));
    const __m512i early = _mm512_add_epi32(_mm512_add_epi32(w[i & 15], w[(i + 9) & 15]), sigma_0);
    w[i & 15] = _mm512_add_epi32(early, sigma_1);
}

/// One round; the caller counts the letters on, so that no word of the state has to be moved.
ZCDP_AVX512_TARGET void round(__m512i (&s)[8], int i, __m512i word) {
    const __m512i a = s[(64 - i) & 7], b = s[(65 - i) & 7], c = s[(66 - i) & 7], e = s[(68 - i) & 7],
                  f = s[(69 - i) & 7], g = s[(70 - i) & 7];
    __m512i &d = s[(67 - i) & 7], &h = s[(71 - i) & 7];
    const __m512i sum_1 = xor3(_mm512_ror_epi32(e, 6), _mm512_ror_epi32(e, 11), _mm512_ror_epi32(e, 25));
    const __m512i sum_0 = xor3(_mm512_ror_epi32(a, 2), _mm512_ror_epi32(a, 13), _mm512_ror_epi32(a, 22));
    const __m512i known =
        _mm512_add_epi32(h, _mm512_add_epi32(word, _mm512_set1_epi32(static_cast<int>(kSha256Constants[i]))));
    const __m512i early = in_this_order(_mm512_add_epi32(in_this_order(_mm512_add_epi32(known, d)), choose(e, f, g)));
    const __m512i old_d = d;
    d = in_this_order(_mm512_add_epi32(early, sum_1));
    h = _mm512_add_epi32(in_this_order(_mm512_add_epi32(_mm512_sub_epi32(d, old_d), majority(a, b, c))), sum_0);
}

__attribute__((target("avx512f,avx512bw,evex512"))) void compress(std::span<const Sha256Lane> lanes, size_t blocks) {
    // Places that nobody took repeat the first lane.
    const __m512i* data[kLanes];
    __m512i rows[16];
    for (size_t i = 0; i < kLanes; ++i) {
        const Sha256Lane& lane = lanes[i < lanes.size() ? i : 0];
        data[i] = reinterpret_cast<const __m512i*>(lane.data);
        rows[i] = _mm512_castsi256_si512(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(lane.state->data())));
    }
    transpose(rows);
    __m512i state[8];
    std::copy_n(rows, 8, state);
    const __m512i big_endian = _mm512_broadcast_i32x4(_mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203));
    for (; blocks > 0; --blocks) {
        __m512i w[16], before[8];
        for (size_t i = 0; i < kLanes; ++i) {
            _mm_prefetch(reinterpret_cast<const char*>(data[i] + kBlocksAhead), _MM_HINT_T0);
            w[i] = _mm512_shuffle_epi8(_mm512_loadu_si512(data[i]++), big_endian);
        }
        transpose(w);
        std::copy_n(state, 8, before);
#pragma GCC unroll 64
        for (int i = 0; i < 64; ++i) {
            if (i >= 16) schedule(w, i);
            round(state, i, w[i & 15]);
        }
        for (int i = 0; i < 8; ++i) state[i] = _mm512_add_epi32(state[i], before[i]);
    }
    std::copy_n(state, 8, rows);
    transpose(rows);
    for (size_t i = 0; i < lanes.size(); ++i)
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(lanes[i].state->data()), _mm512_castsi512_si256(rows[i]));
}

/// Whether the system keeps the 512-bit registers of a thread (xgetbv: SSE, AVX, masks and both parts of ZMM).
bool system_keeps_zmm() {
    unsigned a = 0, b = 0, c = 0, d = 0;
    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & bit_OSXSAVE) == 0) return false;
    unsigned low = 0, high = 0;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (low & 0xe6) == 0xe6;
}

}  // namespace

const Sha256Engine* sha256_avx512() {
    unsigned a = 0, b = 0, c = 0, d = 0;
    if (!system_keeps_zmm() || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return nullptr;
    if ((b & bit_AVX512F) == 0 || (b & bit_AVX512BW) == 0) return nullptr;
    static constexpr Sha256Engine engine{"AVX-512", kLanes, compress};
    return &engine;
}

}  // namespace zcdp

#else

namespace zcdp {
const Sha256Engine* sha256_avx512() { return nullptr; }
}  // namespace zcdp

#endif
