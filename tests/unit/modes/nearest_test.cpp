// Which command was meant.
#include "src/modes/nearest.hpp"

#include "tests/support/doctest.hpp"

using namespace zcdp::modes;

TEST_CASE("a distance counts letters put in, taken out, exchanged and swapped with their neighbour") {
    CHECK(distance("", "") == 0);
    CHECK(distance("", "sync") == 4);
    CHECK(distance("sync", "") == 4);
    CHECK(distance("synk", "sync") == 1);
    CHECK(distance("snyc", "sync") == 1);
    CHECK(distance("sycn", "sync") == 1);
    CHECK(distance("ca", "abc") == 3);  // what was swapped is not edited again
    CHECK(distance("kitten", "sitting") == 3);
}

TEST_CASE("the nearest word, the one that is begun, or none") {
    const std::vector<std::string> words{"sync", "verify", "store", "status", "serve"};
    CHECK(nearest("synk", words) == "sync");
    CHECK(nearest("stauts", words) == "status");
    CHECK(nearest("ver", words) == "verify");
    CHECK(nearest("xylophone", words).empty());
    CHECK(nearest("", words).empty());
    CHECK(nearest("x", words).empty());
    CHECK(nearest(std::string(65, 's'), words).empty());
}
