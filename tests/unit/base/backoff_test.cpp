#include "zcdp/base/backoff.hpp"

#include <algorithm>
#include <vector>

#include "tests/support/doctest.hpp"

using namespace zcdp;

namespace {

/// A source whose bits are all the same: the least and the greatest pause of a span.
class Extreme final : public Random {
  public:
    explicit Extreme(bool most) : byte_(most ? std::byte{0xff} : std::byte{0}) {}
    void fill(std::span<std::byte> bytes) override { std::ranges::fill(bytes, byte_); }

  private:
    const std::byte byte_;
};

uint64_t most(Jitter jitter, uint32_t failures) {
    SeededRandom random(7);
    uint64_t out = 0;
    for (int i = 0; i < 2'000; ++i) out = std::max(out, Backoff({200, 20'000, jitter}, failures).next(random));
    return out;
}

uint64_t least(Jitter jitter, uint32_t failures) {
    SeededRandom random(7);
    uint64_t out = UINT64_MAX;
    for (int i = 0; i < 2'000; ++i) out = std::min(out, Backoff({200, 20'000, jitter}, failures).next(random));
    return out;
}

}  // namespace

TEST_CASE("a back-off's span doubles up to the most, and begins anew after a reset") {
    SeededRandom random(1);
    Backoff backoff({100, 1'000, Jitter::full});
    std::vector<uint64_t> spans;
    for (int i = 0; i < 6; ++i) {
        spans.push_back(backoff.span_ms());
        CHECK(backoff.next(random) < spans.back());
    }
    CHECK(spans == std::vector<uint64_t>{100, 200, 400, 800, 1'000, 1'000});
    backoff.reset();
    CHECK(backoff.span_ms() == 100);
    // However often: no overflow, and still bounded.
    for (int i = 0; i < 1'000; ++i) CHECK(backoff.next(random) <= 1'000);
    CHECK(Backoff({100, UINT64_MAX, Jitter::full}, UINT32_MAX).span_ms() == 100ull << 16);
    CHECK(Backoff({100, 1'000, Jitter::full}, 2).span_ms() == 400);
}

TEST_CASE("a pause is never shorter than the other side asked for") {
    Extreme none(false), all(true);
    CHECK(Backoff({200, 20'000, Jitter::full}).next(none, 3'000) == 3'000);
    CHECK(Backoff({200, 20'000, Jitter::full}, 30).next(all, 3'000) == 19'999);
}

TEST_CASE("full jitter is anything below the span") {
    Extreme none(false);
    CHECK(Backoff({200, 20'000, Jitter::full}).next(none) == 0);
    Extreme all(true);
    CHECK(Backoff({200, 20'000, Jitter::full}).next(all) == 199);
    CHECK(most(Jitter::full, 0) >= 190);
    CHECK(least(Jitter::full, 0) <= 10);
    CHECK(most(Jitter::full, 30) < 20'000);
    CHECK(most(Jitter::full, 30) > 19'000);
}

TEST_CASE("equal jitter is half of the span at least, and the span at most") {
    CHECK(least(Jitter::equal, 0) == 100);
    CHECK(most(Jitter::equal, 0) == 200);
    CHECK(least(Jitter::equal, 3) >= 800);
    CHECK(most(Jitter::equal, 3) <= 1'600);
}

TEST_CASE("jitter around the span is from half of it to one and a half") {
    CHECK(least(Jitter::around, 0) == 100);
    CHECK(most(Jitter::around, 0) == 299);
    CHECK(least(Jitter::around, 30) >= 10'000);
    CHECK(most(Jitter::around, 30) < 30'000);
}
