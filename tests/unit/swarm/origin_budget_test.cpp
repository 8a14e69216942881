#include "zcdp/swarm/origin_budget.hpp"

#include "tests/support/doctest.hpp"

namespace zcdp::swarm {
namespace {

constexpr int64_t kNsPerMs = 1'000'000;

Owners owners_of(std::vector<std::string> members) { return Owners(Revision("r"), std::move(members)); }

}  // namespace

TEST_CASE("what is extra is what the percentage is above a hundred, but the longest piece at least") {
    ManualClock clock(0);
    CHECK(OriginBudget(1'000, 10, clock).extra().most_bytes == 50);
    CHECK(OriginBudget(1'000, 10, clock, {.percent = 150}).extra().most_bytes == 500);
    CHECK(OriginBudget(100, 10, clock).extra().most_bytes == 10);
    CHECK(OriginBudget(1'000, 10, clock, {.percent = 100}).extra().most_bytes == 10);
    CHECK(OriginBudget(1'000, 10, clock, {.percent = 7}).extra().most_bytes == 10);
    CHECK(OriginBudget(UINT64_MAX / 2, 10, clock).extra().most_bytes == UINT64_MAX / 2 / 20);
}

TEST_CASE("extra is drawn once it was given, and no more than was given") {
    ManualClock clock(0);
    OriginBudget budget(1'000, 10, clock);
    budget.set_owners(owners_of({"a", "b"}), "b");
    budget.heard(0, 0, 0);
    CHECK_FALSE(budget.allows(10, 0));
    budget.want(10);
    CHECK(budget.extra().wanted_bytes == 10);
    budget.heard(0, 0, 20);
    CHECK(budget.allows(20, 0));
    CHECK_FALSE(budget.allows(21, 0));
    budget.drew(10, true);
    budget.drew(500, false);
    CHECK(budget.drawn_bytes() == 510);
    CHECK(budget.allows(10, 0));
    CHECK_FALSE(budget.allows(20, 0));
    budget.want(15);
    CHECK(budget.extra().wanted_bytes == 25);
}

TEST_CASE("what members drew twice without knowing of each other is extra, too") {
    ManualClock clock(0);
    OriginBudget budget(1'000, 10, clock);
    budget.drew(100, false);
    budget.heard(500 + 60, 60, 50);  // 60 of the 100 were told
    CHECK(budget.allows(10, 440));   // 500 + 100 + 440 + 10 = 1050
    CHECK_FALSE(budget.allows(10, 441));
}

TEST_CASE("without an answer of late a member has its share, and all shares are the extra") {
    ManualClock clock(0);
    const Owners owners = owners_of({"a", "b", "c", "d"});
    uint64_t shares = 0;
    for (const std::string& name : owners.members()) {
        OriginBudget budget(1'000, 10, clock);  // five pieces of extra
        budget.set_owners(owners, name);
        for (; budget.allows(10, 0); ++shares) budget.drew(10, true);
    }
    CHECK(shares == 5);
    OriginBudget other(1'000, 10, clock);
    other.set_owners(owners, "e");
    CHECK_FALSE(other.allows(1, 0));
    other.heard(0, 0, 30);
    CHECK(other.allows(30, 0));
    clock.advance_ns(31'000 * kNsPerMs);
    CHECK(other.allows(30, 0));  // what was given stays so
    CHECK_FALSE(other.allows(31, 0));
}

}  // namespace zcdp::swarm
