#include "zcdp/swarm/bans.hpp"

#include "tests/support/doctest.hpp"

namespace zcdp::swarm {
namespace {

struct Fixture {
    ManualClock clock{0};
    Metrics metrics;
    Logger log{system_clock(), 2, LogLevel::off, LogFormat::text};
    Bans bans{clock, metrics, log};
    void pass_ms(uint64_t ms) { clock.advance_ns(static_cast<int64_t>(ms) * 1'000'000); }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "three strikes ban a member for an hour") {
    CHECK(!bans.strike("a", Strike::wrong_bytes));
    CHECK(!bans.strike("a", Strike::too_slow));
    CHECK(!bans.strike("b", Strike::too_slow));
    CHECK(!bans.is_banned("a"));
    CHECK(bans.strike("a", Strike::wrong_bytes));
    CHECK(bans.is_banned("a"));
    CHECK(!bans.is_banned("b"));
    REQUIRE(bans.banned().size() == 1);
    CHECK(bans.banned()[0].member == "a");
    pass_ms(Bans::kBanMs - 1);
    CHECK(bans.is_banned("a"));
    pass_ms(1);
    CHECK(!bans.is_banned("a"));
    CHECK(!bans.is_anybody_false());
    CHECK(metrics.prometheus_text().find("zcdp_peer_strikes_total{reason=\"wrong_bytes\"} 2") != std::string::npos);
}

TEST_CASE_FIXTURE(Fixture, "strikes of more than an hour ago are forgotten") {
    for (uint64_t i = 1; i < Bans::kStrikes; ++i) bans.strike("a", Strike::wrong_bytes);
    pass_ms(Bans::kBanMs);
    CHECK(!bans.strike("a", Strike::too_slow));
    CHECK(!bans.is_banned("a"));
}

TEST_CASE_FIXTURE(Fixture, "many answers that are slow at once are one strike") {
    for (int i = 0; i < 32; ++i) CHECK(!bans.strike("a", Strike::too_slow));
    pass_ms(Bans::kOneStrikeMs);
    CHECK(!bans.strike("a", Strike::too_slow));
    pass_ms(Bans::kOneStrikeMs);
    CHECK(bans.strike("a", Strike::too_slow));
}

TEST_CASE_FIXTURE(Fixture, "one false claim is enough") {
    CHECK(bans.strike("a", Strike::false_claim));
    CHECK(bans.is_banned("a"));
    CHECK(bans.is_anybody_false());
    pass_ms(Bans::kBanMs);
    CHECK(!bans.is_anybody_false());
}

}  // namespace zcdp::swarm
