#include "zcdp/swarm/draws.hpp"

#include <algorithm>

#include "tests/support/doctest.hpp"

namespace zcdp::swarm {
namespace {

constexpr int64_t kNsPerMs = 1'000'000;

std::shared_ptr<const Owners> owners_of(std::vector<std::string> members) {
    return std::make_shared<const Owners>(Revision("r"), std::move(members));
}

/// All members of one swarm, who hear of each piece at once.
struct Swarm {
    Swarm(std::vector<std::string> names, uint64_t pieces, DrawOptions options = {}) : owners(owners_of(names)) {
        for (const std::string& name : names) members.emplace_back(name, HaveMap(pieces), owners, clock, options);
    }
    void saw(uint64_t piece) {
        for (Draws& one : members) one.saw(piece);
    }
    std::vector<uint64_t> due() {
        std::vector<uint64_t> all;
        for (Draws& one : members)
            for (const uint64_t piece : one.due()) all.push_back(piece);
        std::sort(all.begin(), all.end());
        return all;
    }
    ManualClock clock{0};
    std::shared_ptr<const Owners> owners;
    std::vector<Draws> members;
};

}  // namespace

TEST_CASE("only a window of pieces is drawn, in their order, each by one member") {
    Swarm swarm({"a", "b", "c"}, 100, {.window_first = 4});
    CHECK(swarm.due() == std::vector<uint64_t>{0, 1, 2, 3});
    CHECK(swarm.due().empty());
    swarm.saw(1);
    CHECK(swarm.due() == std::vector<uint64_t>{4});
    swarm.saw(90);  // from elsewhere: it was never awaited
    CHECK(swarm.due().empty());
}

TEST_CASE("what is here already is drawn by nobody") {
    HaveMap here(10);
    for (uint64_t piece = 0; piece < 8; ++piece) here.set(piece);
    ManualClock clock(0);
    Draws draws("a", here, owners_of({"a"}), clock);
    CHECK(draws.due() == std::vector<uint64_t>{8, 9});
}

TEST_CASE("a member without others has more under way, and shares once others come") {
    ManualClock clock(0);
    Draws draws("a", HaveMap(1000), owners_of({"a"}), clock, {.window_first = 4, .window_alone = 64});
    CHECK(draws.due().size() == 64);
    draws.set_owners(owners_of({"a", "b"}));
    CHECK(draws.window() == 4);
    CHECK(draws.due().size() == 2);
    CHECK(draws.due().empty());
}

TEST_CASE("what members have begun to draw, as they have said, they go on with when others come") {
    ManualClock clock(0);
    const std::vector<std::string> two = {"a", "b"}, four = {"a", "b", "c", "d"};
    const auto draws_of = [&](const std::string& name) {
        return Draws(name, HaveMap(1000), owners_of(two), clock, {.window_first = 16});
    };
    std::multiset<uint64_t> drawn;
    for (const std::string& name : four) {
        Draws draws = draws_of(name);
        if (name == "a" || name == "b") draws.due();
        for (const std::string& other : two)
            for (const uint64_t piece : draws_of(other).due())
                if (other != name) draws.drawn_elsewhere(piece, false);
        draws.set_owners(owners_of(four));
        for (const uint64_t piece : draws.due()) drawn.insert(piece);
    }
    for (uint64_t piece = 0; piece < 16; ++piece) CHECK(drawn.count(piece) == 1);
}

TEST_CASE("what its owner has not begun to draw is drawn by the new one") {
    ManualClock clock(0);
    const auto three = owners_of({"a", "b", "c"}), two = owners_of({"a", "b"});
    Draws draws("a", HaveMap(1000), three, clock, {.window_first = 16});
    std::set<uint64_t> drawn;
    for (const uint64_t piece : draws.due()) drawn.insert(piece);
    draws.set_owners(two);
    for (const uint64_t piece : draws.due()) drawn.insert(piece);
    for (uint64_t piece = 0; piece < 16; ++piece)
        if (two->owner_of(piece) == 0) CHECK(drawn.contains(piece));
}

TEST_CASE("the window doubles while that brings more") {
    // Each draw takes a second, however many there are: eight at once bring eight times as much as one.
    const auto window_after = [](uint32_t source_takes) {
        Swarm swarm({"a"}, 100'000, {.window_first = 2, .window_most = 256, .window_alone = 1});
        std::vector<uint64_t> under_way;
        for (int second = 0; second < 60; ++second) {
            for (const uint64_t piece : swarm.due()) under_way.push_back(piece);
            swarm.clock.advance_ns(1000 * kNsPerMs);
            const size_t come = std::min<size_t>(under_way.size(), source_takes);
            for (size_t i = 0; i < come; ++i) swarm.saw(under_way[i]);
            under_way.erase(under_way.begin(), under_way.begin() + static_cast<ptrdiff_t>(come));
        }
        return swarm.members[0].window();
    };
    CHECK(window_after(1) == 2);
    CHECK(window_after(16) == 16);
    CHECK(window_after(10'000) == 256);
}

TEST_CASE("an owner that hangs costs a wait, then the next in turn draws, and its pieces hold the window no more") {
    Swarm swarm({"a", "b", "c"}, 30, {.window_first = 3, .window_most = 3, .unknown_ms = 1000});
    const size_t hung = *swarm.owners->owner_of(0);
    uint64_t drawn = 0;
    for (int step = 0; step < 4000 && !swarm.members[hung].there().full(); ++step) {
        std::vector<uint64_t> under_way;
        for (size_t i = 0; i < 3; ++i)
            for (const uint64_t piece : swarm.members[i].due())
                if (i != hung) under_way.push_back(piece);
        swarm.clock.advance_ns(100 * kNsPerMs);
        for (const uint64_t piece : under_way) swarm.saw(piece);
        drawn += under_way.size();
    }
    CHECK(swarm.members[hung].there().full());
    CHECK(drawn <= 32);  // where how long a draw takes is just being learnt, two may follow a hanging owner at once
    uint64_t taken_over = 0, owned = 0;
    for (size_t i = 0; i < 3; ++i) taken_over += i == hung ? 0 : swarm.members[i].taken_over();
    for (uint64_t piece = 0; piece < 30; ++piece) owned += swarm.owners->owner_of(piece) == hung;
    CHECK(taken_over >= owned);
    CHECK(taken_over <= owned + drawn - 30);
}

TEST_CASE("turns follow one another: the third comes after the second had its time") {
    Swarm swarm({"a", "b", "c"}, 1, {.late_ms_least = 1000, .unknown_ms = 1000});
    CHECK(swarm.due().size() == 1);
    CHECK(swarm.due().empty());
    std::vector<int> turns_s;
    for (int second = 1; second <= 10; ++second) {
        swarm.clock.advance_ns(1000 * kNsPerMs);
        if (!swarm.due().empty()) turns_s.push_back(second);
    }
    CHECK(turns_s == std::vector<int>{4, 8});
}

TEST_CASE("wake_ms says when a turn comes") {
    Swarm swarm({"a", "b"}, 1, {.unknown_ms = 1000});
    const size_t other = 1 - *swarm.owners->owner_of(0);
    CHECK(swarm.due().size() == 1);
    CHECK(swarm.members[other].wake_ms() == 4000);
    CHECK(!swarm.members[1 - other].wake_ms());
    swarm.clock.advance_ns(3999 * kNsPerMs);
    CHECK(swarm.members[other].due().empty());
    CHECK(swarm.members[other].wake_ms() == 1);
    swarm.clock.advance_ns(kNsPerMs);
    CHECK(swarm.members[other].due().size() == 1);
}

TEST_CASE("what is lost before its owner was asked for it is drawn once") {
    Swarm swarm({"a", "b"}, 3);
    swarm.saw(1);
    for (Draws& one : swarm.members) one.lost(1);
    CHECK(swarm.due() == std::vector<uint64_t>{0, 1, 2});
}

TEST_CASE("what was there and is lost is drawn once more") {
    Swarm swarm({"a", "b"}, 3);
    CHECK(swarm.due().size() == 3);
    for (uint64_t piece = 0; piece < 3; ++piece) swarm.saw(piece);
    for (Draws& one : swarm.members) one.lost(1), one.lost(1);
    CHECK(swarm.due() == std::vector<uint64_t>{1});
    CHECK(!swarm.members[0].there().has(1));
}

}  // namespace zcdp::swarm
