// The limit against two wires: one that is full with few, one that fills only with many.
#include <algorithm>
#include <deque>

#include "zcdp/transfer/climbing_limit.hpp"

#include "tests/support/doctest.hpp"
#include "zcdp/base/random.hpp"

namespace zcdp::transfer {
namespace {

constexpr uint32_t kFirst = 12;
constexpr uint64_t kStepNs = 10'000'000;

/// Lets `seconds` pass on a wire that gives each run `per_run` bytes a second and all together at most `most`.
void pass(ClimbingLimit& limit, uint64_t& at_ns, double seconds, double per_run, double most) {
    for (const uint64_t end = at_ns + static_cast<uint64_t>(seconds * 1e9); at_ns < end; at_ns += kStepNs) {
        const double rate = std::min(per_run * limit.now(), most);
        limit.moved(static_cast<uint64_t>(rate * kStepNs / 1e9), at_ns);
    }
}

TEST_CASE("a wire that few runs fill keeps few") {
    ClimbingLimit limit(kFirst, 64);
    uint64_t at_ns = 1;
    CHECK(limit.now() == kFirst);
    uint32_t most = 0;
    for (int i = 0; i < 100; ++i) {
        pass(limit, at_ns, 0.1, 1e9, 1.5e9);
        most = std::max(most, limit.now());
    }
    CHECK(most <= kFirst + kFirst / 4);
}

TEST_CASE("a wire with latency gets all the connections there are within seconds") {
    ClimbingLimit limit(kFirst, 64);
    uint64_t at_ns = 1;
    pass(limit, at_ns, 4, 50e6, 12.5e9);
    CHECK(limit.now() >= 60);
    SUBCASE("and stays there") {
        pass(limit, at_ns, 4, 50e6, 12.5e9);
        CHECK(limit.now() >= 48);
    }
}

TEST_CASE("it stops where the wire is full") {
    ClimbingLimit limit(kFirst, 256);
    uint64_t at_ns = 1;
    pass(limit, at_ns, 5, 50e6, 2e9);  // 40 runs fill it
    CHECK(limit.now() >= 36);
    CHECK(limit.now() <= 64);
}

TEST_CASE("requests whose answers come late are still found to bring more") {
    // A window is 250 ms: what is asked for now comes 300 ms later.
    ClimbingLimit limit(32, 256, ClimbingLimit::kOfRequests);
    std::deque<uint32_t> asked(30, 32);
    uint64_t at_ns = 1;
    for (; at_ns < 8'000'000'000; at_ns += kStepNs) {
        asked.push_back(limit.now());
        limit.moved(asked.front() * 1000, at_ns);
        asked.pop_front();
    }
    CHECK(limit.now() >= 200);
}

TEST_CASE("and an origin that gives no more is asked for few more") {
    ClimbingLimit limit(32, 256, ClimbingLimit::kOfRequests);
    uint64_t at_ns = 1;
    uint32_t most = 0;
    for (int i = 0; i < 100; ++i) {
        pass(limit, at_ns, 0.1, 1e6, 32e6);
        most = std::max(most, limit.now());
    }
    CHECK(most <= 48);
}

/// Ten minutes of requests on a wire whose rate wavers by `waver`, a part of it, from window to window: the mean limit
/// of the second half.
double mean_of_requests(uint64_t seed, double per_request, double most, double waver) {
    SeededRandom random(seed);
    ClimbingLimit limit(32, 256, ClimbingLimit::kOfRequests);
    constexpr int kWindows = 2400;
    double sum = 0;
    uint64_t at_ns = 1;
    for (int i = 0; i < kWindows; ++i, at_ns += ClimbingLimit::kWindowNs) {
        limit.moved(static_cast<uint64_t>(std::min(per_request * limit.now(), most) * (1 - waver * random.unit())),
                    at_ns);
        if (i >= kWindows / 2) sum += limit.now();
    }
    return sum / (kWindows / 2.0);
}

TEST_CASE("rates that waver, as on a busy machine, move the limit neither up nor down for long") {
    for (uint64_t seed = 1; seed <= 20; ++seed)
        for (const double waver : {0.0, 0.1, 0.2, 0.3, 0.5}) {
            CAPTURE(seed);
            CAPTURE(waver);
            CHECK(mean_of_requests(seed, 1e6, 32e6, waver) <= 64);  // full with 32
            CHECK(mean_of_requests(seed, 1e6, 1e9, waver) >= 192);  // never full
            const double half_way = mean_of_requests(seed, 1e6, 100e6, waver);
            CHECK(half_way >= 80);
            CHECK(half_way <= 160);
        }
}

TEST_CASE("fewer connections than it begins with") {
    ClimbingLimit limit(kFirst, 3);
    uint64_t at_ns = 1;
    CHECK(limit.now() == 3);
    pass(limit, at_ns, 3, 50e6, 12.5e9);
    CHECK(limit.now() == 3);
}

}  // namespace
}  // namespace zcdp::transfer
