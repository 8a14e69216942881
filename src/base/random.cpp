// Randomness: the kernel's, and a repeatable one for tests (xoshiro256** 1.0, seeded by splitmix64; Blackman & Vigna).
#include <sys/random.h>

#include <bit>
#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "zcdp/base/random.hpp"

namespace zcdp {
namespace {

class SystemRandom final : public Random {
  public:
    void fill(std::span<std::byte> bytes) override {
        while (!bytes.empty()) {
            const ssize_t got = getrandom(bytes.data(), bytes.size(), 0);
            if (got < 0) {
                if (errno == EINTR) continue;
                throw std::runtime_error("getrandom failed");
            }
            bytes = bytes.subspan(static_cast<size_t>(got));
        }
    }
};

}  // namespace

Random& system_random() {
    static SystemRandom random;
    return random;
}

uint64_t Random::u64() {
    uint64_t value;
    fill(std::as_writable_bytes(std::span(&value, 1)));
    return value;
}

uint64_t Random::below(uint64_t bound) {
    // Values past the last whole multiple of `bound` would favour small results.
    const uint64_t limit = bound * (UINT64_MAX / bound);
    uint64_t value;
    do value = u64();
    while (value >= limit);
    return value % bound;
}

double Random::unit() { return static_cast<double>(u64() >> 11) * 0x1.0p-53; }

std::string Random::hex(size_t digits) {
    std::string text;
    text.reserve(digits);
    while (text.size() < digits) {
        uint64_t value = u64();
        for (int i = 0; i < 16 && text.size() < digits; ++i, value >>= 4) text += "0123456789abcdef"[value & 15];
    }
    return text;
}

SeededRandom::SeededRandom(uint64_t seed) {
    for (uint64_t& word : state_) {
        seed += 0x9e3779b97f4a7c15;
        uint64_t z = seed;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        word = z ^ (z >> 31);
    }
}

uint64_t SeededRandom::next() {
    const uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
}

void SeededRandom::fill(std::span<std::byte> bytes) {
    while (!bytes.empty()) {
        const uint64_t value = next();
        const size_t n = bytes.size() < sizeof value ? bytes.size() : sizeof value;
        std::memcpy(bytes.data(), &value, n);
        bytes = bytes.subspan(n);
    }
}

}  // namespace zcdp
