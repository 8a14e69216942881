// The production choosing in a swarm of many, from seeds (tests/support/sim_swarm.hpp). `ZCDP_SIMULATIONS=100000` runs
// more histories, `ZCDP_SEED=N` one of them, aloud.
#include <cstdio>
#include <cstdlib>

#include "tests/support/doctest.hpp"
#include "tests/support/sim_swarm.hpp"

namespace zcdp::swarm {
namespace {

uint64_t from_environment(const char* name, uint64_t otherwise) {
    const char* text = std::getenv(name);
    return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

/// As a sync does: a piece has one writer.
ChooserOptions asks_once() { return {.last_pieces = 0, .late_ms_least = 1'000'000'000}; }

/// In datasets.
double most_drawn(const SimOptions& options) {
    const auto pieces = static_cast<double>(options.pieces);
    return std::max(options.chooser.budget.percent / 100.0, 1 + 1 / pieces) + 1e-9;
}

SimOptions any(uint64_t seed) {
    SeededRandom random(seed);
    SimOptions options;
    options.seed = seed;
    options.receivers = static_cast<uint32_t>(1 + random.below(24));
    options.pieces = 1 + random.below(150);
    options.source_links = 0.25 + 8 * random.unit();
    options.source_is_member = random.below(3) == 0;
    options.slow = random.below(2) ? 0.3 * random.unit() : 0;
    options.controllers_go = random.below(4) == 0;
    options.lost = !options.controllers_go && random.below(2) ? 0.4 * random.unit() : 0;
    options.lost_at = 1.5 * random.unit();
    options.hung = random.unit();
    options.introducer.neighbours = static_cast<uint32_t>(2 + random.below(16));
    options.slots = static_cast<uint32_t>(1 + random.below(8));
    if (random.below(2)) options.chooser = asks_once();
    if (random.below(4) == 0) options.connection_links = 0.01 + random.unit();
    return options;
}

}  // namespace

TEST_CASE(
    "whatever is slow, lost or hangs: all others get all; nothing is drawn over the budget that others could be asked "
    "for") {
    const uint64_t one = from_environment("ZCDP_SEED", 0);
    const uint64_t first = one ? one : 1, count = one ? 1 : from_environment("ZCDP_SIMULATIONS", 2000);
    for (uint64_t seed = first; seed < first + count; ++seed) {
        const SimOptions options = any(seed);
        const SimReport report = SimSwarm(options).run();
        CHECK_MESSAGE(report.ended, "ZCDP_SEED=", seed);
        if (report.doomed == 0 && !options.source_is_member) {
            const double of_nobody = static_cast<double>(report.over_budget) / static_cast<double>(options.pieces);
            CHECK_MESSAGE(report.drawn - of_nobody <= most_drawn(options), "ZCDP_SEED=", seed);
            if (options.introducer.neighbours >= options.receivers)
                CHECK_MESSAGE(report.over_budget == 0, "ZCDP_SEED=", seed);
        }
        if (one)
            std::printf(
                "healthy %u in %.3f, all %u in %.3f, drawn %.3f, twice %lu, taken over %lu, lost %lu, compared %lu, "
                "over the budget %lu\n",
                report.healthy, report.healthy_last, report.finished, report.last, report.drawn, report.asked_twice,
                report.taken_over, report.lost, report.compared, report.over_budget);
    }
}

TEST_CASE(
    "eight get all in a quarter more than one link takes, whether an origin or a holder begins, and nearly all once") {
    for (const bool is_holder : {false, true}) {
        for (uint64_t seed = 1; seed <= 5; ++seed) {
            const SimReport report =
                SimSwarm({.seed = seed, .source_is_member = is_holder, .chooser = asks_once()}).run();
            CHECK_MESSAGE(report.healthy_last < 1.3, "seed ", seed);
            CHECK(report.drawn <= 1.05);
        }
    }
}

TEST_CASE("sixty-four get all soon, though some are slow and some are lost") {
    const SimReport report =
        SimSwarm({.receivers = 64, .pieces = 512, .slow = 0.05, .lost = 0.05, .chooser = asks_once()}).run();
    CHECK(report.ended);
    CHECK(report.healthy_last < 1.35);
    CHECK(report.drawn <= 1.05);
}

TEST_CASE("a source that is slower than anybody expects is asked no more often than the budget allows") {
    const auto drawn = [](uint32_t percent) {
        SimOptions options{.pieces = 100, .connection_links = 0.005};
        options.chooser.budget.percent = percent;
        return SimSwarm(options).run().drawn;
    };
    CHECK(drawn(105) <= 1.05);
    CHECK(drawn(1'000) > 1.15);
}

}  // namespace zcdp::swarm
