// Long runs are folded 64 bytes at a time with carry-less multiplication (Gopal et al., "Fast CRC Computation for
// Generic Polynomials Using PCLMULQDQ", Intel 2009), or 256 at a time where the core multiplies four words at once
// (VPCLMULQDQ on AVX-512 registers); what remains, and cores without it, use eight tables.
#include "zcdp/origin/checksums.hpp"

#include <bit>
#include <cstring>

#include "crc_tables.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace zcdp::origin {
namespace {

static_assert(std::endian::native == std::endian::little, "the tables read words in little-endian order");

template <class F>
inline constexpr auto kTables = F::byte_tables();
template <class F>
inline constexpr auto kZeroBytes = F::zero_bytes_powers();

template <class F>
typename F::Word by_tables(typename F::Word state, const unsigned char* p, size_t n) {
    const auto& t = kTables<F>;
    for (; n >= 8; p += 8, n -= 8) {
        uint64_t word;
        std::memcpy(&word, p, 8);
        word ^= state;
        state = t[7][word & 0xff] ^ t[6][(word >> 8) & 0xff] ^ t[5][(word >> 16) & 0xff] ^ t[4][(word >> 24) & 0xff] ^
                t[3][(word >> 32) & 0xff] ^ t[2][(word >> 40) & 0xff] ^ t[1][(word >> 48) & 0xff] ^ t[0][word >> 56];
    }
    for (; n > 0; p++, n--) {
        const auto rest = F::kBits > 8 ? state >> 8 : 0;
        state = static_cast<typename F::Word>(rest) ^ t[0][(state ^ *p) & 0xff];
    }
    return state;
}

#if defined(__x86_64__)
/// Moves the 16 bytes in `a` forward over `kBits` bits of message and adds the 16 bytes found there.
template <class F, unsigned kBits>
__attribute__((target("pclmul,sse4.1"))) inline __m128i fold(__m128i a, __m128i next) {
    // A product of two reflected words stands one bit too far: hence the -1.
    constexpr uint64_t upper = F::fold_constant(kBits - 1), lower = F::fold_constant(kBits + 64 - 1);
    const __m128i k = _mm_set_epi64x(static_cast<long long>(upper), static_cast<long long>(lower));
    const __m128i low = _mm_clmulepi64_si128(a, k, 0x00);
    const __m128i high = _mm_clmulepi64_si128(a, k, 0x11);
    return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

template <class F>
__attribute__((target("pclmul,sse4.1"))) typename F::Word by_folding(typename F::Word state, const unsigned char* p,
                                                                     size_t n) {
    const auto load = [](const unsigned char* at) __attribute__((target("sse4.1"))) {
        return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    };
    __m128i a = _mm_xor_si128(load(p), _mm_cvtsi64_si128(static_cast<long long>(state)));
    __m128i b = load(p + 16), c = load(p + 32), d = load(p + 48);
    for (p += 64, n -= 64; n >= 64; p += 64, n -= 64) {
        a = fold<F, 512>(a, load(p));
        b = fold<F, 512>(b, load(p + 16));
        c = fold<F, 512>(c, load(p + 32));
        d = fold<F, 512>(d, load(p + 48));
    }
    a = fold<F, 128>(a, b);
    a = fold<F, 128>(a, c);
    a = fold<F, 128>(a, d);
    // `a` is 16 bytes of message that leave the same remainder as all that was folded.
    unsigned char remainder[16];
    _mm_storeu_si128(reinterpret_cast<__m128i*>(remainder), a);
    return by_tables<F>(by_tables<F>(0, remainder, sizeof remainder), p, n);
}

/// The same in each of the four 16-byte lanes.
template <class F, unsigned kBits>
__attribute__((target("avx512f,vpclmulqdq"))) inline __m512i fold_lanes(__m512i a, __m512i next) {
    constexpr uint64_t upper = F::fold_constant(kBits - 1), lower = F::fold_constant(kBits + 64 - 1);
    const __m512i k =
        _mm512_set_epi64(static_cast<long long>(upper), static_cast<long long>(lower), static_cast<long long>(upper),
                         static_cast<long long>(lower), static_cast<long long>(upper), static_cast<long long>(lower),
                         static_cast<long long>(upper), static_cast<long long>(lower));
    const __m512i low = _mm512_clmulepi64_epi128(a, k, 0x00);
    const __m512i high = _mm512_clmulepi64_epi128(a, k, 0x11);
    return _mm512_ternarylogic_epi64(low, high, next, 0x96);  // the exclusive or of the three
}

/// At least 256 bytes.
template <class F>
__attribute__((target("avx512f,vpclmulqdq,pclmul,sse4.1"))) typename F::Word by_wide_folding(typename F::Word state,
                                                                                             const unsigned char* p,
                                                                                             size_t n) {
    const auto load = [](const unsigned char* at) __attribute__((target("avx512f"))) { return _mm512_loadu_si512(at); };
    __m512i a = _mm512_xor_si512(load(p), _mm512_zextsi128_si512(_mm_cvtsi64_si128(static_cast<long long>(state))));
    __m512i b = load(p + 64), c = load(p + 128), d = load(p + 192);
    for (p += 256, n -= 256; n >= 256; p += 256, n -= 256) {
        a = fold_lanes<F, 2048>(a, load(p));
        b = fold_lanes<F, 2048>(b, load(p + 64));
        c = fold_lanes<F, 2048>(c, load(p + 128));
        d = fold_lanes<F, 2048>(d, load(p + 192));
    }
    d = fold_lanes<F, 512>(fold_lanes<F, 512>(fold_lanes<F, 512>(a, b), c), d);
    for (; n >= 64; p += 64, n -= 64) d = fold_lanes<F, 512>(d, load(p));
    // 64 bytes of message that leave the same remainder as all that was folded.
    unsigned char remainder[64];
    _mm512_storeu_si512(remainder, d);
    return by_tables<F>(by_folding<F>(0, remainder, sizeof remainder), p, n);
}

bool can_fold() {
    static const bool can = __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1");
    return can;
}
bool can_fold_wide() {
    static const bool can = can_fold() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("vpclmulqdq");
    return can;
}
#endif

template <class F>
uint64_t update(uint64_t value, std::span<const std::byte> bytes, bool portable) {
    using Word = typename F::Word;
    const auto state = static_cast<Word>(~static_cast<Word>(value));
    const auto* p = reinterpret_cast<const unsigned char*>(bytes.data());
#if defined(__x86_64__)
    if (!portable && bytes.size() >= 512 && can_fold_wide())
        return static_cast<Word>(~by_wide_folding<F>(state, p, bytes.size()));
    if (!portable && bytes.size() >= 128 && can_fold())
        return static_cast<Word>(~by_folding<F>(state, p, bytes.size()));
#endif
    static_cast<void>(portable);
    return static_cast<Word>(~by_tables<F>(state, p, bytes.size()));
}

template <class F>
uint64_t combine(uint64_t a, uint64_t b, uint64_t b_bytes) {
    auto word = static_cast<typename F::Word>(a);
    for (size_t i = 0; b_bytes != 0; i++, b_bytes >>= 1)
        if (b_bytes & 1) word = F::multiply(word, kZeroBytes<F>[i]);
    return word ^ static_cast<typename F::Word>(b);
}

uint64_t update_kind(CrcKind kind, uint64_t value, std::span<const std::byte> bytes, bool portable) {
    switch (kind) {
        case CrcKind::crc32: return update<crc::Crc32Field>(value, bytes, portable);
        case CrcKind::crc32c: return update<crc::Crc32cField>(value, bytes, portable);
        case CrcKind::crc64xz: return update<crc::Crc64XzField>(value, bytes, portable);
        case CrcKind::crc64nvme: return update<crc::Crc64NvmeField>(value, bytes, portable);
    }
    __builtin_unreachable();
}

}  // namespace

void Crc::update(std::span<const std::byte> bytes) { value_ = update_kind(kind_, value_, bytes, false); }

uint64_t crc_update_portable(CrcKind kind, uint64_t value, std::span<const std::byte> bytes) {
    return update_kind(kind, value, bytes, true);
}

uint64_t Crc::of(CrcKind kind, std::string_view bytes) {
    Crc crc(kind);
    crc.update(bytes);
    return crc.value();
}

uint64_t crc_combine(CrcKind kind, uint64_t crc_a, uint64_t crc_b, uint64_t b_bytes) {
    switch (kind) {
        case CrcKind::crc32: return combine<crc::Crc32Field>(crc_a, crc_b, b_bytes);
        case CrcKind::crc32c: return combine<crc::Crc32cField>(crc_a, crc_b, b_bytes);
        case CrcKind::crc64xz: return combine<crc::Crc64XzField>(crc_a, crc_b, b_bytes);
        case CrcKind::crc64nvme: return combine<crc::Crc64NvmeField>(crc_a, crc_b, b_bytes);
    }
    __builtin_unreachable();
}

std::string crc_raw(CrcKind kind, uint64_t value) {
    std::string raw;
    for (int shift = kind == CrcKind::crc64nvme || kind == CrcKind::crc64xz ? 56 : 24; shift >= 0; shift -= 8)
        raw.push_back(static_cast<char>(value >> shift));
    return raw;
}

std::optional<CrcKind> crc_kind(ObjectChecksum::Kind kind) {
    switch (kind) {
        case ObjectChecksum::Kind::crc32: return CrcKind::crc32;
        case ObjectChecksum::Kind::crc32c: return CrcKind::crc32c;
        case ObjectChecksum::Kind::crc64xz: return CrcKind::crc64xz;
        case ObjectChecksum::Kind::crc64nvme: return CrcKind::crc64nvme;
        default: return std::nullopt;
    }
}

}  // namespace zcdp::origin
