// Randomness as an interface, made in main, so that tests set it.
// Thread rule: system_random() may be called from any thread; a SeededRandom belongs to one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace zcdp {

class Random {
  public:
    virtual ~Random() = default;
    virtual void fill(std::span<std::byte> bytes) = 0;

    uint64_t u64();
    /// Uniform in [0, bound); bound > 0.
    uint64_t below(uint64_t bound);
    /// Uniform in [0, 1).
    double unit();
    /// `digits` random lower-case hex digits: temporary names, request ids.
    std::string hex(size_t digits);
};

/// The machine's: getrandom(2).
Random& system_random();

/// A repeatable source for tests and simulations (xoshiro256**, seeded by splitmix64).
class SeededRandom final : public Random {
  public:
    explicit SeededRandom(uint64_t seed);
    void fill(std::span<std::byte> bytes) override;

  private:
    uint64_t next();
    uint64_t state_[4];
};

}  // namespace zcdp
