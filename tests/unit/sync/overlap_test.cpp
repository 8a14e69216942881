// Whether a place lies in another, whatever names lead there.
#include "src/sync/place/overlap.hpp"

#include "tests/support/doctest.hpp"

using namespace zcdp::sync;

TEST_CASE("a place lies in another by the folders around it, by what is missing, and by where its file system has it") {
    const Place outer{{{1, 20}, {1, 2}}, "", "/data"};
    CHECK(is_within(outer, outer));
    CHECK(is_within({{{1, 30}, {1, 20}, {1, 2}}, "", "/data/in"}, outer));
    CHECK(!is_within(outer, {{{1, 30}, {1, 20}, {1, 2}}, "", "/data/in"}));
    CHECK(is_within({{{1, 20}, {1, 2}}, "new/dest", "/data/new/dest"}, outer));
    CHECK(!is_within({{{1, 21}, {1, 2}}, "", "/data-too"}, outer));
    CHECK(is_within({{{1, 30}, {9, 2}}, "", "/data/in"}, outer));   // a bind mount of what lies in it
    CHECK(!is_within({{{2, 30}, {9, 2}}, "", "/data/in"}, outer));  // the same path of another disk
    CHECK(!is_within({}, outer));
}

TEST_CASE("what does not exist yet is told apart by its names") {
    const auto missing = [](const char* below) { return Place{{{1, 2}}, below, ""}; };
    CHECK(is_within(missing("a/b"), missing("a")));
    CHECK(is_within(missing("a"), missing("a")));
    CHECK(!is_within(missing("a"), missing("a/b")));
    CHECK(!is_within(missing("ab"), missing("a")));
    CHECK(!is_within({{{1, 2}}, "", ""}, missing("a")));
}

TEST_CASE("a path becomes absolute without dots") {
    CHECK(absolute_path("/a/./b//c/") == "/a/b/c");
    CHECK(absolute_path("/") == "/");
    CHECK(absolute_path("/no such folder/x/../y") == "/no such folder/y");
}
