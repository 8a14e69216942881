#include "zcdp/swarm/chooser.hpp"

#include <algorithm>

#include "tests/support/doctest.hpp"

namespace zcdp::swarm {
namespace {

constexpr int64_t kNsPerMs = 1'000'000;
constexpr uint64_t kPieces = 64;

HaveMap map_of(std::vector<uint64_t> pieces) {
    HaveMap map(kPieces);
    for (const uint64_t piece : pieces) map.set(piece);
    return map;
}

News news_of(std::vector<uint64_t> have, std::vector<uint64_t> there, std::vector<uint64_t> drawing = {}) {
    return {.have = map_of(std::move(have)), .there = map_of(std::move(there)), .drawing = map_of(std::move(drawing))};
}

/// This member is "a"; of the source, what it owns is due at once.
struct Member {
    explicit Member(std::vector<std::string> members = {"a"}, ChooserOptions options = {})
        : chooser("a", HaveMap(kPieces), std::make_shared<const Owners>(Revision("r"), std::move(members)), clock,
                  random, options) {}
    void has(Neighbour neighbour, std::vector<uint64_t> pieces) { chooser.has(neighbour, news_of(pieces, pieces)); }
    /// What is asked of getters now.
    std::vector<Ask> of_getters() {
        std::vector<Ask> asks = chooser.next();
        std::erase_if(asks, [](const Ask& ask) { return !ask.of; });
        return asks;
    }
    void advance_ms(int64_t ms) { clock.advance_ns(ms * kNsPerMs); }
    ManualClock clock{0};
    SeededRandom random{1};
    Chooser chooser;
};

/// Its own share of the source's is not looked at: others own everything.
ChooserOptions no_draws() {
    ChooserOptions options;
    options.draws_most = options.draws_alone = 0, options.window = 3;
    return options;
}

}  // namespace

TEST_CASE("what a neighbour has is asked of it, as much as the window holds, each piece once") {
    Member member({"a"}, no_draws());
    member.has(1, {3, 4, 5, 6});
    member.has(2, {3, 4, 5, 6});
    std::vector<Ask> asks = member.of_getters();
    CHECK(asks.size() == 4);
    std::vector<uint64_t> pieces;
    for (const Ask& ask : asks) pieces.push_back(ask.piece);
    std::sort(pieces.begin(), pieces.end());
    CHECK(pieces == std::vector<uint64_t>{3, 4, 5, 6});
    CHECK(std::count_if(asks.begin(), asks.end(), [](const Ask& ask) { return ask.of == 1; }) == 2);
    CHECK(member.of_getters().empty());
}

TEST_CASE("of several that have a piece the one of whom least is asked is asked first, whatever it took last time") {
    Member member({"b"}, no_draws());
    const auto tell = [&](Neighbour neighbour, uint64_t load) {
        News news = news_of({3, 4, 5}, {3, 4, 5});
        news.load = load;
        member.chooser.has(neighbour, news);
    };
    tell(1, 3), tell(2, 1), tell(3, 9);
    const auto asks = member.of_getters();
    REQUIRE(asks.size() == 3);
    CHECK(asks[0].of == Neighbour{2});
    CHECK(asks[1].of == Neighbour{1});
    CHECK(asks[2].of == Neighbour{3});
    member.advance_ms(1000);  // 2 and 1 have answered alike; now 2 has more to do
    for (const Ask& ask : asks) member.chooser.arrived(ask);
    News news = news_of({7}, {7});
    member.chooser.has(1, news), member.chooser.has(3, news);
    news.load = 4;
    member.chooser.has(2, news);
    const auto more = member.of_getters();
    REQUIRE(more.size() == 1);
    CHECK(more[0].of != Neighbour{2});
}

TEST_CASE("of what a neighbour has, the rarer is asked for first, mostly") {
    int rare = 0;
    for (uint64_t seed = 1; seed <= 50; ++seed) {
        Member member({"b"}, no_draws());
        member.random = SeededRandom(seed);
        std::vector<uint64_t> common;
        for (uint64_t piece = 1; piece < 8; ++piece) common.push_back(piece * 8);
        for (Neighbour i = 2; i <= 4; ++i) {
            News news = news_of(common, common);
            news.load = 9;
            member.chooser.has(i, news);
        }
        common.push_back(0);
        member.has(1, common);
        const auto asks = member.of_getters();
        REQUIRE(!asks.empty());
        REQUIRE(asks[0].of == Neighbour{1});
        rare += asks[0].piece == 0;
    }
    CHECK(rare >= 12);  // of eight pieces a random one is this one six times of fifty, one of four 21 times
}

TEST_CASE("who draws asks half of its getters at most, and three of many; who draws nothing asks four") {
    const auto asks_of = [](size_t getters, bool draws) {
        ChooserOptions options;
        if (!draws) options.draws_most = options.draws_alone = 0;
        Member member({"a"}, options);
        for (Neighbour i = 1; i <= getters; ++i) member.has(i, {40, 41, 42, 43, 44, 45, 46, 47, 48});
        return member.of_getters().size();
    };
    CHECK(asks_of(1, true) == 1);
    CHECK(asks_of(3, true) == 2);
    CHECK(asks_of(9, true) == 3);
    CHECK(asks_of(9, false) == 4);
}

TEST_CASE("what a neighbour says no more that it has is not asked of it") {
    Member member({"b"}, no_draws());
    member.has(1, {0, 1, 2});
    member.has(1, {2, 3});
    const auto asks = member.of_getters();
    CHECK(asks.size() == 2);
    for (const Ask& ask : asks) CHECK((ask.piece == 2 || ask.piece == 3));
}

TEST_CASE("all that falls to this member is drawn of the origin, as many at once as it may") {
    Member member({"a"}, {.draws_most = 5, .draws_alone = 0});
    std::vector<Ask> asks = member.chooser.next();
    CHECK(asks.size() == 5);
    for (const Ask& ask : asks) CHECK(!ask.of);
    CHECK(member.chooser.arrived(asks[0]).empty());
    CHECK(member.chooser.next().size() == 1);
    member.chooser.failed(asks[1]);
    CHECK(member.chooser.next() == std::vector<Ask>{asks[1]});  // it still falls to this one
}

TEST_CASE("what a neighbour draws is drawn by nobody else, until that takes too long") {
    Member member({"a"}, {.draws = {.window_first = 4, .window_alone = 4, .unknown_ms = 1000}});
    member.chooser.has(1, news_of({}, {}, {0, 1, 5}));
    const std::vector<Ask> asks = member.chooser.next();
    CHECK(asks == std::vector<Ask>{{{}, 2}, {{}, 3}});
    CHECK(member.chooser.drawing().has(2));
    CHECK(!member.chooser.drawing().has(0));
    for (const Ask& ask : asks) member.chooser.arrived(ask);
    CHECK(member.chooser.next() == std::vector<Ask>{{{}, 4}});  // 5 is not its to draw, either
    CHECK(!member.chooser.drawing().has(2));
    member.advance_ms(4000);
    const std::vector<Ask> late = member.chooser.next();
    CHECK(std::find(late.begin(), late.end(), Ask{{}, 0}) != late.end());
}

TEST_CASE("who comes draws its own share of what somebody alone was to draw") {
    Member member({"a"}, {.draws_most = 4, .draws_alone = 0});
    CHECK(member.chooser.next().size() == 4);
    const auto both = std::make_shared<const Owners>(Revision("r"), std::vector<std::string>{"a", "b"});
    member.chooser.set_owners(both);
    uint64_t drawn = 4;
    for (std::vector<Ask> asks = {{{}, 0}, {{}, 1}, {{}, 2}, {{}, 3}}; !asks.empty(); asks = member.chooser.next()) {
        for (const Ask& ask : asks) {
            CHECK((ask.piece < 4 || both->members()[*both->owner_of(ask.piece)] == "a"));
            member.chooser.arrived(ask);
        }
        drawn += asks.size();
    }
    CHECK(drawn > 8);
    CHECK(drawn < kPieces * 3 / 4);
}

TEST_CASE("a holder is drawn from instead of the origin, and of it nothing else is asked") {
    Member member({"a", "b"}, {.window = 8});
    member.chooser.has_all(7);
    std::vector<Ask> asks = member.chooser.next();
    CHECK(!asks.empty());
    for (const Ask& ask : asks) CHECK(ask.of == 7);
    for (const Ask& ask : asks) member.chooser.arrived(ask);
    CHECK(member.chooser.mine().count() == asks.size());
    member.chooser.gone(7);
    member.advance_ms(60'000);
    for (const Ask& ask : member.chooser.next()) CHECK(!ask.of);
}

TEST_CASE("alone, a member draws as much at once as an ordinary sync; with others, less") {
    const ChooserOptions options{.draws_most = 5, .draws_alone = 20};
    CHECK(Member({"a"}, options).chooser.next().size() == 20);
    CHECK(Member({"a", "b"}, options).chooser.next().size() <= 5);
}

TEST_CASE("of one holder all is asked that is drawn at once, of several each a part") {
    for (const uint32_t holders : {1u, 4u}) {
        Member member({"a"}, {.draws_alone = 20});
        for (Neighbour holder = 0; holder < holders; ++holder) member.chooser.has_all(holder);
        const std::vector<Ask> asks = member.chooser.next();
        CHECK(asks.size() == 20);
        for (Neighbour holder = 0; holder < holders; ++holder)
            CHECK(std::count_if(asks.begin(), asks.end(), [&](const Ask& ask) { return ask.of == holder; }) ==
                  20 / holders);
    }
}

TEST_CASE("a neighbour that goes is asked no more, and what it owed is asked elsewhere") {
    Member member({"a"}, no_draws());
    member.has(1, {9});
    CHECK(member.of_getters() == std::vector<Ask>{{1, 9}});
    member.has(2, {9});
    CHECK(member.of_getters().empty());
    member.chooser.gone(1);
    CHECK(member.of_getters() == std::vector<Ask>{{2, 9}});
    member.chooser.failed({2, 9});
    CHECK(member.of_getters() == std::vector<Ask>{{2, 9}});
}

TEST_CASE("what a neighbour drew that has gone is drawn by whoever owns it then, unless another draws it, too") {
    Member a({"a", "b", "c"}, {.draws_most = kPieces, .draws_alone = kPieces});
    const size_t before = a.chooser.next().size();
    a.chooser.has(1, news_of({}, {}, {40, 41}));
    a.chooser.has(2, news_of({}, {}, {40}));
    a.chooser.gone(1);
    CHECK(a.chooser.next().empty());
    a.chooser.set_owners(std::make_shared<const Owners>(Revision("r"), std::vector<std::string>{"a"}));
    const std::vector<Ask> asks = a.chooser.next();
    const auto draws = [&](uint64_t piece) { return std::count(asks.begin(), asks.end(), Ask{{}, piece}) == 1; };
    CHECK(draws(41));
    CHECK_FALSE(draws(40));
    CHECK(before + asks.size() == kPieces - 1);
}

TEST_CASE("a late answer is asked for elsewhere, by the neighbour's own measure, and whoever comes first counts") {
    ChooserOptions options = no_draws();
    options.last_pieces = 0;
    Member member({"a"}, options);
    member.has(1, {1, 2});
    for (const Ask& ask : member.of_getters()) {
        member.advance_ms(200);
        CHECK(member.chooser.arrived(ask).empty());
    }
    member.has(1, {1, 2, 3});
    CHECK(member.of_getters() == std::vector<Ask>{{1, 3}});
    member.has(2, {3});
    member.advance_ms(899);  // usual: 225 ms, as smoothed from 200 and 400
    CHECK(member.of_getters().empty());
    CHECK(member.chooser.wake_ms() == 101);
    member.advance_ms(101);
    CHECK(member.of_getters() == std::vector<Ask>{{2, 3}});
    CHECK(member.chooser.arrived({2, 3}) == std::vector<Ask>{{1, 3}});
    CHECK(member.chooser.asked_twice() == 1);
}

TEST_CASE("one of the last pieces is asked for twice once it takes longer than usual") {
    Member member({"a"}, no_draws());
    std::vector<uint64_t> all;
    for (uint64_t piece = 0; piece < kPieces; ++piece) all.push_back(piece);
    member.has(1, all);
    while (member.chooser.mine().count() < kPieces - 1) {
        const auto asks = member.of_getters();
        member.advance_ms(100);
        for (const Ask& ask : asks)
            if (member.chooser.mine().count() < kPieces - 1) member.chooser.arrived(ask);
    }
    member.of_getters();
    member.has(2, all);
    member.advance_ms(50);
    CHECK(member.of_getters().empty());
    member.advance_ms(100);
    const auto asks = member.of_getters();
    REQUIRE(asks.size() == 1);
    CHECK(asks[0].of == 2);
    CHECK(member.of_getters().empty());
}

TEST_CASE("what all say is there and no neighbour has for a while is drawn again") {
    Member member({"a"}, {.draws = {.window_first = 4, .window_alone = 4, .unknown_ms = 100}});
    member.chooser.next();
    std::vector<uint64_t> all;
    for (uint64_t piece = 0; piece < kPieces; ++piece) all.push_back(piece);
    member.chooser.has(1, news_of({}, all));  // a liar, or it tells of somebody who is gone
    for (const auto& ask : std::vector<Ask>{{{}, 0}, {{}, 1}, {{}, 2}, {{}, 3}}) member.chooser.arrived(ask);
    CHECK(member.chooser.next().empty());
    member.advance_ms(5000);
    CHECK(member.chooser.next().empty());  // perhaps it is only on its way
    member.advance_ms(5000);
    CHECK(!member.chooser.next().empty());
    CHECK(member.chooser.lost() == kPieces - 4);
    member.chooser.has(1, news_of({}, all));  // said again, it is believed no more
    CHECK(!member.chooser.there().has(10));
    member.has(1, {10});  // but of what one has
    CHECK(member.chooser.there().has(10));
}

namespace {

/// Of 64 pieces three may be drawn more than once; nobody was given any yet. Piece 0 is another's, and late.
struct OverBudget : Member {
    OverBudget() : Member({"a", "b"}, {.draws = {.window_first = 2, .unknown_ms = 1000}}) {
        late = 0;
        while (owners.members()[*owners.owner_of(late)] == "a") ++late;
        chooser.heard_members(2);
        has(1, {});
        hear(0);
        chooser.next();
        advance_ms(4'000);
    }
    void hear(uint64_t granted) { chooser.budget().heard(0, 0, granted); }
    bool draws_late() {
        const auto asks = chooser.next();
        return std::find(asks.begin(), asks.end(), Ask{{}, late}) != asks.end();
    }
    const Owners owners{Revision("r"), {"a", "b"}};
    uint64_t late;
};

}  // namespace

TEST_CASE("what is late with its owner is drawn once some extra was given for it") {
    OverBudget member;
    CHECK_FALSE(member.draws_late());
    CHECK(member.chooser.budget().extra().wanted_bytes == 1);
    CHECK(member.chooser.wake_ms() <= 1'000);
    member.hear(1);
    CHECK(member.draws_late());
    CHECK(member.chooser.drawn().over_budget == 0);
    CHECK(member.chooser.budget().extra_drawn_bytes() == 1);
    CHECK(member.chooser.drawn().owned == 1);
    CHECK(member.chooser.drawn().taken_over == 1);
    CHECK(member.chooser.drawn().late_owners == std::set<std::string>{"b"});
}

TEST_CASE("over the budget a piece is left to a neighbour that draws it, but not for ever") {
    OverBudget member;
    CHECK_FALSE(member.draws_late());
    member.chooser.has(1, news_of({}, {}, {member.late}));
    for (int seconds = 0; seconds < 295; seconds += 5) {
        member.hear(0);
        CHECK_FALSE(member.draws_late());
        member.advance_ms(5'000);
    }
    member.advance_ms(10'000);
    CHECK(member.draws_late());
    CHECK(member.chooser.drawn().over_budget == 1);
}

TEST_CASE("over the budget a piece of which no neighbour knows is waited for a minute; less, when a member has gone") {
    OverBudget patient, bereft, alone;
    for (OverBudget* one : {&patient, &bereft, &alone}) CHECK_FALSE(one->draws_late());
    patient.advance_ms(59'000);
    patient.hear(0);
    CHECK_FALSE(patient.draws_late());
    patient.advance_ms(1'000);
    CHECK(patient.draws_late());
    bereft.chooser.heard_members(1);
    CHECK_FALSE(bereft.draws_late());
    bereft.advance_ms(4'000);
    CHECK(bereft.draws_late());
    alone.chooser.gone(1);
    CHECK(alone.draws_late());
    CHECK(alone.chooser.drawn().over_budget == 1);
}

TEST_CASE("what others have got meanwhile is not drawn any more") {
    OverBudget member;
    CHECK_FALSE(member.draws_late());
    member.has(1, {member.late});
    member.hear(1);
    CHECK_FALSE(member.draws_late());
    CHECK(member.chooser.budget().extra().wanted_bytes == 0);
}

TEST_CASE("a comparison waits until some extra was given for it") {
    Member member({"b"}, no_draws());
    member.chooser.budget().heard(0, 0, 0);
    CHECK_FALSE(member.chooser.compares(3, 1));
    CHECK(member.chooser.budget().extra().wanted_bytes == 1);
    member.chooser.budget().heard(0, 0, 1);
    CHECK(member.chooser.compares(4, 1'000'000'000));
    CHECK_FALSE(member.chooser.compares(5, 1'000'000'000));
    CHECK(member.chooser.budget().drawn_bytes() == 1);
}

}  // namespace zcdp::swarm
