#include "src/kube/watch_pauses.hpp"

#include "tests/support/doctest.hpp"
#include "zcdp/base/random.hpp"

namespace zcdp::kube {
namespace {

ApiError error(ApiErrorKind kind, uint32_t retry_after_s = 0) {
    ApiError out(kind, 0, "as the test wants it");
    out.set_retry_after_s(retry_after_s);
    return out;
}

}  // namespace

TEST_CASE("a server that stays away is asked less and less, and every ten seconds at least") {
    SeededRandom random(1);
    WatchPauses pauses;
    uint64_t sum = 0;
    for (int i = 0; i < 12; ++i) {
        const uint64_t ms = pauses.after_ms(error(ApiErrorKind::unreachable), random);
        CHECK(ms <= WatchPauses::kMostMs);
        if (i >= 6) CHECK(ms >= WatchPauses::kMostMs / 2);
        sum += ms;
    }
    CHECK(sum >= 30'000);
    SUBCASE("back, with a history that is too old: read again at once") {
        CHECK(pauses.after_ms(error(ApiErrorKind::gone), random) <= WatchPauses::kFirstMs);
        CHECK(pauses.after_ms(error(ApiErrorKind::gone), random) <= 2 * WatchPauses::kFirstMs);
    }
    SUBCASE("back, and away once more") {
        pauses.went_well();
        CHECK(pauses.after_ms(error(ApiErrorKind::unreachable), random) <= WatchPauses::kFirstMs);
    }
    SUBCASE("a server that says how long is heard, but not for ever") {
        CHECK(pauses.after_ms(error(ApiErrorKind::throttled, 5), random) >= 5'000);
        CHECK(pauses.after_ms(error(ApiErrorKind::throttled, 1'000'000), random) == WatchPauses::kAskedForMostMs);
    }
}

}  // namespace zcdp::kube
