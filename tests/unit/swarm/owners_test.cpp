#include "zcdp/swarm/owners.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "tests/support/doctest.hpp"

namespace zcdp::swarm {
namespace {

constexpr uint64_t kPieces = 10'000;

std::vector<std::string> nodes(size_t count) {
    std::vector<std::string> out;
    for (size_t i = 0; i < count; ++i) out.push_back("node-" + std::to_string(i));
    return out;
}

std::string owner(const Owners& owners, uint64_t piece, size_t turn = 0) {
    for (const std::string& member : owners.members())
        if (owners.turn_of(piece, member) == turn) return member;
    return "nobody";
}

}  // namespace

TEST_CASE("the vector of docs/formats.md") {
    const Owners owners(Revision("6faa58f6"), {"a", "b", "c"});
    std::string first, second;
    for (uint64_t piece = 0; piece < 12; ++piece) first += owner(owners, piece), second += owner(owners, piece, 1);
    CHECK(first == "acbbbcabacbc");
    CHECK(second == "bbccaacccbaa");
}

TEST_CASE("the order of members changes nothing; another revision shuffles") {
    auto members = nodes(20);
    const Owners one(Revision("r"), members);
    std::reverse(members.begin(), members.end());
    const Owners same(Revision("r"), members), other(Revision("s"), members);
    size_t moved = 0;
    for (uint64_t piece = 0; piece < kPieces; ++piece) {
        CHECK(owner(one, piece) == owner(same, piece));
        moved += owner(one, piece) != owner(other, piece);
    }
    CHECK(moved > kPieces * 9 / 10);
}

TEST_CASE("shares are equal but for chance") {
    const Owners owners(Revision("r"), nodes(16));
    std::vector<uint64_t> share(16);
    for (uint64_t piece = 0; piece < kPieces; ++piece) ++share[*owners.owner_of(piece)];
    const auto [least, most] = std::minmax_element(share.begin(), share.end());
    CHECK(*least > kPieces / 16 * 8 / 10);  // five standard deviations
    CHECK(*most < kPieces / 16 * 12 / 10);
}

TEST_CASE("of a round's pieces each owns one before any owns two") {
    const Owners owners(Revision("r"), nodes(6));  // rounds of eight
    for (uint64_t round = 0; round < 100; ++round) {
        std::set<size_t> first;
        std::map<size_t, int> all;
        for (uint64_t i = 0; i < 8; ++i) {
            const size_t owner = *owners.owner_of(round * 8 + i);
            if (i < 6) first.insert(owner);
            ++all[owner];
        }
        CHECK(first.size() == 6);
        CHECK(std::all_of(all.begin(), all.end(), [](const auto& one) { return one.second <= 2; }));
    }
}

TEST_CASE("whoever leaves hands on its own pieces, and few others move") {
    auto members = nodes(64);
    const Owners before(Revision("r"), members);
    members.erase(members.begin() + 5);
    const Owners after(Revision("r"), members);
    size_t moved = 0;
    for (uint64_t piece = 0; piece < kPieces; ++piece) {
        CHECK(owner(after, piece) != "node-5");
        moved += owner(after, piece) != owner(before, piece);
    }
    CHECK(moved < kPieces / 10);
}

TEST_CASE("turns go round all members, each once, and the owner has the first") {
    const Owners owners(Revision("r"), nodes(7));
    for (uint64_t piece = 0; piece < 100; ++piece) {
        std::set<uint64_t> turns;
        for (const std::string& member : owners.members()) turns.insert(owners.turn_of(piece, member));
        CHECK(turns.size() == 7);
        CHECK(*turns.rbegin() == 6);
        CHECK(owner(owners, piece) == owners.members()[*owners.owner_of(piece)]);
    }
    CHECK(Owners(Revision("r"), {"alone"}).owner_of(3) == 0);
}

TEST_CASE("who is no member comes after all, not all such at once; without members all are such") {
    const Owners owners(Revision("r"), nodes(3)), none(Revision("r"), {});
    std::set<uint64_t> turns;
    for (int i = 0; i < 50; ++i) {
        const std::string other = "other-" + std::to_string(i);
        CHECK(owners.turn_of(9, other) >= 3);
        turns.insert(owners.turn_of(9, other));
        CHECK(none.turn_of(9, other) == owners.turn_of(9, other) - 3);
    }
    CHECK(turns.size() > 45);
    CHECK(!none.owner_of(9));
}

}  // namespace zcdp::swarm
