// SHA-256 compression of one to four independent messages at once with Arm's SHA-2 instructions. FIPS 180-4
// section 6.2; what the instructions do: Arm Architecture Reference Manual, "Cryptographic Extension", SHA256H, H2, SU0
// and SU1. Checked by cross-compiling with clang 19 and running under qemu-aarch64, against a plain C++ reference.
#include "src/base/sha256/sha256_engine.hpp"

#if defined(__AARCH64EL__)
#include <arm_neon.h>
#include <asm/hwcap.h>
#include <sys/auxv.h>

namespace zcdp {
namespace {

#define ZCDP_SHA_TARGET __attribute__((target("+sha2")))

struct Registers {
    uint32x4_t abcd, efgh;
};

/// Words 4i to 4i+3 of the message schedule: from the block for i < 4, else from the sixteen words before them in `w`.
ZCDP_SHA_TARGET inline uint32x4_t schedule(uint32x4_t (&w)[4], int i, const uint8_t* block) {
    if (i < 4) return w[i] = vreinterpretq_u32_u8(vrev32q_u8(vld1q_u8(block + 16 * i)));
    const uint32x4_t partial = vsha256su0q_u32(w[i & 3], w[(i + 1) & 3]);
    return w[i & 3] = vsha256su1q_u32(partial, w[(i + 2) & 3], w[(i + 3) & 3]);
}

template <int Lanes>
ZCDP_SHA_TARGET void compress(const Sha256Lane* lanes, size_t blocks) {
    Registers state[Lanes];
    const uint8_t* data[Lanes];
    for (int lane = 0; lane < Lanes; ++lane) {
        const uint32_t* words = lanes[lane].state->data();
        state[lane] = {vld1q_u32(words), vld1q_u32(words + 4)};
        data[lane] = reinterpret_cast<const uint8_t*>(lanes[lane].data);
    }
    for (; blocks > 0; --blocks) {
        uint32x4_t w[Lanes][4];
        Registers before[Lanes];
        for (int lane = 0; lane < Lanes; ++lane) before[lane] = state[lane];
#pragma GCC unroll 16
        for (int i = 0; i < 16; ++i) {
            const uint32x4_t constants = vld1q_u32(kSha256Constants.data() + 4 * i);
#pragma GCC unroll 4
            for (int lane = 0; lane < Lanes; ++lane) {
                Registers& s = state[lane];
                const uint32x4_t words = vaddq_u32(schedule(w[lane], i, data[lane]), constants);
                const uint32x4_t abcd = s.abcd;
                s.abcd = vsha256hq_u32(s.abcd, s.efgh, words);
                s.efgh = vsha256h2q_u32(s.efgh, abcd, words);
            }
        }
        for (int lane = 0; lane < Lanes; ++lane) {
            state[lane].abcd = vaddq_u32(state[lane].abcd, before[lane].abcd);
            state[lane].efgh = vaddq_u32(state[lane].efgh, before[lane].efgh);
            data[lane] += kSha256BlockBytes;
        }
    }
    for (int lane = 0; lane < Lanes; ++lane) {
        uint32_t* words = lanes[lane].state->data();
        vst1q_u32(words, state[lane].abcd);
        vst1q_u32(words + 4, state[lane].efgh);
    }
}

}  // namespace

const Sha256Engine* sha256_arm() {
    if ((getauxval(AT_HWCAP) & HWCAP_SHA2) == 0) return nullptr;
    static constexpr Sha256Engine engine{"Arm SHA-2", 4,
                                         compress_lanes<compress<1>, compress<2>, compress<3>, compress<4>>};
    return &engine;
}

}  // namespace zcdp

#else

namespace zcdp {
const Sha256Engine* sha256_arm() { return nullptr; }
}  // namespace zcdp

#endif
