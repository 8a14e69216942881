#include "zcdp/swarm/have_map.hpp"

#include "tests/support/doctest.hpp"
#include "zcdp/base/digest.hpp"
#include "zcdp/base/random.hpp"

namespace zcdp::swarm {

TEST_CASE("the vector of docs/formats.md") {
    HaveMap map(11);
    for (const uint64_t piece : {0, 1, 8, 10}) map.set(piece);
    CHECK(to_hex_of(map.encode()) == "0b000000000000000305");
    CHECK(HaveMap::decode(map.encode(), 11).value() == map);
}

TEST_CASE("a map is as its pieces were set and cleared, over every word's edge") {
    for (const uint64_t pieces : {1, 63, 64, 65, 128, 1000}) {
        SeededRandom random(pieces);
        HaveMap map(pieces), other(pieces);
        std::vector<bool> mine(pieces), theirs(pieces);
        for (int turn = 0; turn < 2000; ++turn) {
            const uint64_t piece = random.below(pieces);
            const bool sets = random.below(3) > 0, on_mine = random.below(2) > 0;
            HaveMap& at = on_mine ? map : other;
            if (sets) at.set(piece);
            else at.clear(piece);
            (on_mine ? mine : theirs)[piece] = sets;
        }
        uint64_t count = 0, wanted = 0;
        for (uint64_t i = 0; i < pieces; ++i) {
            CHECK(map.has(i) == mine[i]);
            count += mine[i], wanted += theirs[i] && !mine[i];
        }
        CHECK(map.count() == count);
        CHECK(map.count_wanted(other) == wanted);
        uint64_t found = 0;
        for (auto next = map.first_wanted(other); next; next = map.first_wanted(other, *next + 1)) {
            CHECK((theirs[*next] && !mine[*next]));
            ++found;
        }
        CHECK(found == wanted);
        CHECK(!map.has(pieces));
        CHECK(HaveMap::decode(map.encode(), pieces).value() == map);
        map.set_all();
        CHECK(map.full());
        CHECK(HaveMap::decode(map.encode(), pieces).value().full());
    }
}

TEST_CASE("what encode() does not write is corrupt: cut off, longer, of other pieces, with bits beyond the last") {
    HaveMap map(10);
    map.set(9);
    const std::string bytes = map.encode();
    for (size_t size = 0; size < bytes.size(); ++size) CHECK(!HaveMap::decode(bytes.substr(0, size), 10));
    CHECK(!HaveMap::decode(bytes + '\0', 10));
    CHECK(!HaveMap::decode(bytes, 9));
    CHECK(!HaveMap::decode(bytes, 11));
    for (int bit = 2; bit < 8; ++bit) {
        std::string more = bytes;
        more.back() = static_cast<char>(more.back() | 1 << bit);
        CHECK(!HaveMap::decode(more, 10));
    }
    CHECK(HaveMap::decode(HaveMap(0).encode(), 0).value().full());
}

}  // namespace zcdp::swarm
