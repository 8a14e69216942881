#include "zcdp/swarm/introducer.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "tests/support/doctest.hpp"

namespace zcdp::swarm {
namespace {

constexpr int64_t kNsPerMs = 1'000'000;

MemberNews news_of(const std::string& name, const std::string& zone = "", bool is_holder = false) {
    return {.name = name, .address = name + ":7443", .zone = zone, .is_holder = is_holder, .neighbours = {}};
}

struct Cluster {
    explicit Cluster(IntroducerOptions options = {}) : introducer(clock, random, options) {}
    Introduction meet(const MemberNews& news) {
        const auto met = introducer.meet("swarm", news);
        REQUIRE(met);
        return *met;
    }
    ManualClock clock{0};
    SeededRandom random{7};
    Introducer introducer;
};

}  // namespace

TEST_CASE("the first knows nobody, and draws all; the second is told of the first") {
    Cluster cluster;
    const Introduction first = cluster.meet(news_of("a"));
    CHECK(first.neighbours.empty());
    CHECK(first.owners == std::vector<std::string>{"a"});
    const Introduction second = cluster.meet(news_of("b"));
    CHECK(second.neighbours == std::vector<Introduction::Neighbour>{{"a", "a:7443", false}});
    CHECK(second.owners == std::vector<std::string>{"a", "b"});
    CHECK(second.members == 2);
}

TEST_CASE("holders come first but not alone, own zones next, and some are strangers") {
    Cluster cluster;
    for (int i = 0; i < 40; ++i) cluster.meet(news_of("holder-" + std::to_string(i), "z1", true));
    for (int i = 0; i < 40; ++i) cluster.meet(news_of("near-" + std::to_string(i), "z1"));
    for (int i = 0; i < 400; ++i) cluster.meet(news_of("far-" + std::to_string(i), "z2"));
    const Introduction met = cluster.meet(news_of("me", "z1"));
    CHECK(met.neighbours.size() == 12);
    const auto count = [&](const std::string& prefix) {
        return std::count_if(met.neighbours.begin(), met.neighbours.end(),
                             [&](const auto& one) { return one.name.starts_with(prefix); });
    };
    CHECK(count("holder") == 4);
    CHECK(count("near") >= 4);
    CHECK(count("near") + count("far") == 8);
    CHECK(count("far") > 0);
    CHECK(met.holders == 40);
    std::set<std::string> names;
    for (const auto& one : met.neighbours) names.insert(one.name);
    CHECK(names.size() == 12);
}

TEST_CASE("where there are only holders all neighbours are") {
    Cluster cluster;
    for (int i = 0; i < 20; ++i) cluster.meet(news_of("holder-" + std::to_string(i), "", true));
    CHECK(cluster.meet(news_of("me")).neighbours.size() == 16);
    CHECK(cluster.meet(news_of("me")).owners == std::vector<std::string>{"me"});
    CHECK(cluster.meet(news_of("holder-1", "", true)).neighbours.empty());  // it wants nothing
}

TEST_CASE("all are told of the same owners, of whom there are so many and no more") {
    Cluster cluster({.owners_most = 5});
    for (int i = 0; i < 50; ++i) cluster.meet(news_of("node-" + std::to_string(i)));
    const auto owners = cluster.meet(news_of("node-0")).owners;
    CHECK(owners.size() == 5);
    CHECK(cluster.meet(news_of("node-31")).owners == owners);
    CHECK(std::is_sorted(owners.begin(), owners.end()));
    cluster.introducer.leave("swarm", owners[2]);
    const auto after = cluster.meet(news_of(owners[0])).owners;
    CHECK(after.size() == 5);
    std::vector<std::string> both;
    std::set_intersection(owners.begin(), owners.end(), after.begin(), after.end(), std::back_inserter(both));
    CHECK(both.size() == 4);
}

TEST_CASE("who is silent is forgotten, and neighbours of it are told") {
    Cluster cluster;
    cluster.meet(news_of("a")), cluster.meet(news_of("b"));
    cluster.clock.advance_ns(29'000 * kNsPerMs);
    MemberNews again = news_of("b");
    again.neighbours = {"a"};
    CHECK(cluster.meet(again).gone.empty());
    cluster.clock.advance_ns(2'000 * kNsPerMs);
    const Introduction met = cluster.meet(again);
    CHECK(met.gone == std::vector<std::string>{"a"});
    CHECK(met.owners == std::vector<std::string>{"b"});
    cluster.clock.advance_ns(31'000 * kNsPerMs);
    cluster.introducer.forget_silent();
    CHECK(cluster.introducer.swarms() == 0);
}

TEST_CASE("only as many new neighbours as are missing, and none that it has") {
    Cluster cluster;
    MemberNews me = news_of("me");
    for (int i = 0; i < 40; ++i) cluster.meet(news_of("node-" + std::to_string(i)));
    for (const auto& one : cluster.meet(me).neighbours) me.neighbours.push_back(one.name);
    CHECK(me.neighbours.size() == 8);
    CHECK(cluster.meet(me).neighbours.empty());
    me.neighbours.resize(5);
    const auto more = cluster.meet(me).neighbours;
    CHECK(more.size() == 3);
    for (const auto& one : more)
        CHECK(std::find(me.neighbours.begin(), me.neighbours.end(), one.name) == me.neighbours.end());
}

TEST_CASE("who is given a neighbour is given to it, and in the end all have about as many, whenever they came") {
    Cluster cluster;
    constexpr int kMembers = 200;
    std::map<std::string, std::set<std::string>> neighbours;
    for (int round = 0; round < 3; ++round) {
        for (int i = 0; i < kMembers; ++i) {
            MemberNews news = news_of("node-" + std::to_string(i));
            auto& mine = neighbours[news.name];
            news.neighbours.assign(mine.begin(), mine.end());
            for (const auto& one : cluster.meet(news).neighbours) mine.insert(one.name);
        }
    }
    for (const auto& [name, mine] : neighbours) {
        CHECK(mine.size() >= 8);
        CHECK(mine.size() <= 32);
        for (const std::string& other : mine) CHECK(neighbours.at(other).contains(name));
    }
}

TEST_CASE("members of a large swarm say their news less often") {
    Cluster cluster({.news_a_second_most = 100});
    for (int i = 0; i < 50; ++i) cluster.meet(news_of("node-" + std::to_string(i)));
    CHECK(cluster.meet(news_of("node-0")).again_ms == 500);
}

TEST_CASE("while a swarm is young its members hear of each other soon") {
    Cluster cluster;
    CHECK(cluster.meet(news_of("a")).again_ms == 200);
    cluster.clock.advance_ns(5'000 * kNsPerMs);
    CHECK(cluster.meet(news_of("a")).again_ms == 10'000);
    CHECK(cluster.meet(news_of("b")).again_ms == 200);
    CHECK(cluster.meet(news_of("a")).again_ms == 200);
}

TEST_CASE("what is no name, and what is too much, is refused") {
    Cluster cluster({.members_most = 2, .swarms_most = 1});
    for (const std::string& bad : std::vector<std::string>{"", "with space", "\xc3\xa4", std::string(300, 'x')})
        CHECK(!cluster.introducer.meet("swarm", news_of(bad)));
    CHECK(!cluster.introducer.meet("two words", news_of("a")));
    cluster.meet(news_of("a")), cluster.meet(news_of("b"));
    CHECK(!cluster.introducer.meet("swarm", news_of("c")));
    CHECK(cluster.introducer.meet("swarm", news_of("a")));
    CHECK(!cluster.introducer.meet("another", news_of("a")));
    cluster.clock.advance_ns(31'000 * kNsPerMs);
    CHECK(cluster.introducer.meet("another", news_of("a")));  // the silent make room
}

TEST_CASE("a holder that somebody else speaks of is a member, until nobody does; who gets speaks for itself") {
    Cluster cluster;
    const auto hear = [&](const std::string& name) {
        return cluster.introducer.hear_of_holder("swarm", news_of(name, "", true)).has_value();
    };
    cluster.meet(news_of("getter"));
    REQUIRE(hear("holder"));
    REQUIRE(hear("getter"));
    Introduction met = cluster.meet(news_of("me"));
    CHECK(met.neighbours.size() == 2);
    CHECK(met.holders == 1);
    CHECK(met.owners == std::vector<std::string>{"getter", "me"});
    cluster.clock.advance_ns(20'000 * kNsPerMs);
    REQUIRE(hear("holder"));
    cluster.clock.advance_ns(20'000 * kNsPerMs);
    MemberNews news = news_of("me");
    news.neighbours = {"holder", "getter"};
    CHECK(cluster.meet(news).gone == std::vector<std::string>{"getter"});
    cluster.clock.advance_ns(20'000 * kNsPerMs);
    CHECK(cluster.meet(news).gone == std::vector<std::string>{"holder", "getter"});
    CHECK_FALSE(hear("no word"));
}

TEST_CASE("a swarm that is full takes no holder that somebody else speaks of") {
    Cluster cluster({.members_most = 1, .swarms_most = 1});
    REQUIRE(cluster.introducer.hear_of_holder("swarm", news_of("a", "", true)));
    CHECK(cluster.introducer.hear_of_holder("swarm", news_of("a", "", true)));
    CHECK_FALSE(cluster.introducer.hear_of_holder("swarm", news_of("b", "", true)));
    CHECK_FALSE(cluster.introducer.hear_of_holder("another", news_of("a", "", true)));
}

namespace {

MemberNews wanting(const std::string& name, uint64_t wanted_bytes, uint64_t granted_bytes = 0) {
    MemberNews news = news_of(name);
    news.extra = {.most_bytes = 100, .granted_bytes = granted_bytes, .wanted_bytes = wanted_bytes};
    return news;
}

}  // namespace

TEST_CASE("what members drew is added up, also of those that went or began anew") {
    Cluster cluster({.forget_ms = 5'000});
    const auto drew = [&](const std::string& name, uint64_t bytes) {
        MemberNews news = news_of(name);
        news.drawn_bytes = bytes;
        return cluster.meet(news).drawn_bytes;
    };
    CHECK(drew("a", 10) == 10);
    CHECK(drew("b", 5) == 15);
    CHECK(drew("a", 30) == 35);
    CHECK(drew("a", 4) == 39);  // it was started again
    cluster.introducer.leave("swarm", "b");
    CHECK(drew("a", 4) == 39);
    CHECK(drew("c", UINT64_MAX) == 1ull << 60);
    cluster.clock.advance_ns(6'000 * kNsPerMs);
    CHECK(drew("a", 7) == 7);  // all had gone
}

TEST_CASE("what may be drawn more than once is given to who asks first, and once") {
    Cluster cluster;
    CHECK(cluster.meet(wanting("a", 60)).granted_bytes == 60);
    CHECK(cluster.meet(wanting("b", 60)).granted_bytes == 40);
    CHECK(cluster.meet(wanting("c", 60)).granted_bytes == 0);
    CHECK(cluster.meet(wanting("a", 60)).granted_bytes == 60);  // whose answer was lost
    CHECK(cluster.meet(wanting("a", 70, 60)).granted_bytes == 60);
    cluster.introducer.leave("swarm", "a");
    CHECK(cluster.meet(wanting("c", 60)).granted_bytes == 0);
}

TEST_CASE(
    "an introducer that begins when a swarm is under way gives nothing before all have said what they were given") {
    Cluster cluster({.again_ms = 10'000});
    MemberNews first = wanting("a", 100, 30);
    first.neighbours = {"b"};
    CHECK(cluster.meet(first).granted_bytes == 30);
    CHECK(cluster.meet(wanting("b", 60, 60)).granted_bytes == 60);
    cluster.clock.advance_ns(10'000 * kNsPerMs);
    CHECK(cluster.meet(first).granted_bytes == 40);
}

}  // namespace zcdp::swarm
