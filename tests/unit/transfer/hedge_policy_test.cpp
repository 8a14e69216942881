#include "zcdp/transfer/hedge_policy.hpp"

#include "tests/support/doctest.hpp"

using zcdp::transfer::HedgePolicy;

TEST_CASE(
    "before anything is known a request may be silent for two seconds, each time it is sent again for twice that") {
    HedgePolicy policy;
    for (int i = 0; i < 19; ++i) {
        CHECK(policy.silence_ms(0) == 2'000);
        policy.answered(1);
    }
    CHECK(policy.silence_ms(0) == 2'000);
    CHECK(policy.silence_ms(1) == 4'000);
    CHECK(policy.silence_ms(2) == 8'000);
    CHECK(policy.silence_ms(3) == 0);  // given up often enough: the limits alone count
    policy.answered(1);
    CHECK(policy.silence_ms(0) < 2'000);
}

TEST_CASE("the bound follows the latencies seen, and stays between half a second and ten") {
    HedgePolicy quick, slow, uneven;
    for (int i = 0; i < 1'000; ++i) {
        quick.answered(10);
        slow.answered(3'000);
        uneven.answered(i % 2 == 0 ? 0 : 8'000);
    }
    CHECK(quick.silence_ms(0) == 500);
    CHECK(slow.silence_ms(0) >= 3'000);
    CHECK(slow.silence_ms(0) < 3'100);
    CHECK(slow.silence_ms(1) == 2 * slow.silence_ms(0));
    CHECK(uneven.silence_ms(0) == 10'000);
    for (int i = 0; i < 1'000; ++i) slow.answered(10);  // it became quick
    CHECK(slow.silence_ms(0) == 500);
}

TEST_CASE("what deviates more is waited for longer") {
    HedgePolicy even, uneven;
    for (int i = 0; i < 1'000; ++i) even.answered(1'000), uneven.answered(i % 2 == 0 ? 800 : 1'200);
    CHECK(even.silence_ms(0) < 1'050);
    CHECK(uneven.silence_ms(0) > 2'000);
}

TEST_CASE("one request in twenty is sent again at most, after the first few") {
    HedgePolicy policy;
    for (int i = 0; i < 8; ++i) {
        CHECK(policy.silence_ms(0) > 0);
        policy.gave_up();
    }
    CHECK(policy.silence_ms(0) == 0);
    for (int i = 0; i < 19; ++i) policy.answered(10);
    CHECK(policy.silence_ms(0) == 0);
    policy.answered(10), policy.answered(10);
    CHECK(policy.silence_ms(0) > 0);
    policy.gave_up();
    CHECK(policy.silence_ms(0) == 0);
}

TEST_CASE("successes save up 32 tokens, and no more") {
    HedgePolicy policy;
    for (int i = 0; i < 100'000; ++i) policy.answered(10);
    for (int i = 0; i < 31; ++i) policy.gave_up();
    CHECK(policy.silence_ms(0) > 0);
    policy.gave_up();
    CHECK(policy.silence_ms(0) == 0);
}
