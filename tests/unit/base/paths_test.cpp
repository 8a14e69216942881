// Keys to paths: one table of more than two hundred keys with their verdicts, and the order of keys.
#include "zcdp/base/paths.hpp"
#include "tests/support/doctest.hpp"

using namespace zcdp;
using P = PathProblem;

namespace {

struct Row {
    std::string key;
    PathProblem verdict;
};

std::vector<Row> key_table() {
    std::vector<Row> rows;
    const auto all = [&rows](PathProblem verdict, std::initializer_list<std::string> keys) {
        for (const auto& key : keys) rows.push_back({key, verdict});
    };
    all(P::none, {"a",
                  "a/b",
                  "a/b/c/d/e/f/g",
                  "a.b",
                  ".a",
                  "..a",
                  "a..",
                  "...",
                  "....",
                  "a/...",
                  ".hidden/x",
                  "a b",
                  " a",
                  "a ",
                  " ",
                  "-",
                  "--",
                  "-rf",
                  "~",
                  "~root",
                  "a\\b",
                  "\\",
                  "C:\\x",
                  "C:",
                  "con",
                  "nul",
                  "aux.txt",
                  "a:b",
                  "a*b",
                  "a?b",
                  "a|b",
                  "a<b>",
                  "a\"b",
                  "a'b",
                  "`a`",
                  "$(a)",
                  "$HOME",
                  "%2e%2e",
                  "%2e%2e/x",
                  "a%00b",
                  "&amp;",
                  "#",
                  "?q=1",
                  "a=b&c",
                  "+",
                  "a+b",
                  "@",
                  "!",
                  "^",
                  "{a}",
                  "[a]",
                  "(a)",
                  ";",
                  ",",
                  "_",
                  "=",
                  "\xc3\xa9",
                  "\xe6\x97\xa5\xe6\x9c\xac",
                  "\xf0\x9f\x98\x80",
                  "\xf0\x9f\x98\x80/\xf0\x9f\x98\x80",
                  "e\xcc\x81",
                  "\xe2\x80\xae"
                  "gpj",
                  "\xe2\x80\x8b",
                  "\xef\xbb\xbf"
                  "a",
                  "\xc2\x80",
                  "\xdf\xbf",
                  "\xe0\xa0\x80",
                  "\xef\xbf\xbf",
                  "\xf0\x90\x80\x80",
                  "\xf4\x8f\xbf\xbf",
                  "\xed\x9f\xbf",
                  "\xee\x80\x80",
                  "dir/",
                  "a/b/",
                  "\xc3\xa9/",
                  "a-x",
                  "a/b-c",
                  "A",
                  "a/A",
                  "\xef\xbc\x8e\xef\xbc\x8e/x",
                  "\xe2\x88\x95"});
    all(P::none,
        {std::string(255, 'x'), std::string(255, 'x') + "/" + std::string(255, 'y'),
         std::string(1022, 'a').replace(200, 1, "/").replace(450, 1, "/").replace(700, 1, "/").replace(950, 1, "/"),
         std::string(255, 'x') + "/"});
    all(P::empty, {""});
    all(P::absolute, {"/", "/a", "//", "//a", "/a/b", "/etc/passwd", "/../x", "/."});
    all(P::empty_part, {"a//b", "a//", "a/b//c", "a///b", "x//../y"});
    all(P::dot_part, {".",   "..",    "./",    "../",    "./a",       "../a",   "../../../etc/passwd",
                      "a/.", "a/..",  "a/./b", "a/../b", "a/../../b", "a/b/..", "a/b/.",
                      "../", "a/../", "a/./",  "../.",   "./..",      "..//",   "x/../../../y"});
    for (int byte = 0; byte < 0x20; ++byte) {
        const std::string bad(1, static_cast<char>(byte));
        all(byte == 0 ? P::nul : P::control, {bad, "a" + bad, bad + "a", "a/" + bad + "/b"});
    }
    all(P::control, {"\x7f",
                     "a\x7f"
                     "b",
                     "\x1b[31mred", "a\nb", "a\r\nb", "\t", "a/\x07"});
    all(P::invalid_utf8, {"\x80",
                          "\xbf",
                          "\xc0\x80",
                          "\xc1\xbf",
                          "\xc2",
                          "\xc2 ",
                          "\xc2/",
                          "\xe0\x80\x80",
                          "\xe0\x9f\xbf",
                          "\xe0\xa0",
                          "\xed\xa0\x80",
                          "\xed\xbf\xbf",
                          "\xf0\x80\x80\x80",
                          "\xf0\x8f\xbf\xbf",
                          "\xf0\x90\x80",
                          "\xf4\x90\x80\x80",
                          "\xf5\x80\x80\x80",
                          "\xf8\x88\x80\x80\x80",
                          "\xfe",
                          "\xff",
                          "a\xff",
                          "\xff"
                          "a",
                          "a/\xff/b",
                          "\xc3\x28",
                          "\xe2\x28\xa1",
                          "\xe2\x82\x28",
                          "\xf0\x28\x8c\xbc",
                          "\xf0\x9f\x98",
                          "\xc3\xa9\xc3",
                          "caf\xe9",
                          "\xc0\xae\xc0\xae/x",
                          "\xc0\xaf"});
    all(P::component_long, {std::string(256, 'x'), "a/" + std::string(256, 'x'), std::string(256, 'x') + "/a",
                            std::string(256, 'x') + "/", std::string(1024, 'k')});
    std::string long_path;
    while (long_path.size() < 4001) long_path += "abcdefghi/";
    all(P::path_long, {long_path, std::string(5000, 'x')});
    return rows;
}

}  // namespace

TEST_CASE("every key of the table has its verdict") {
    const auto rows = key_table();
    CHECK(rows.size() >= 200);
    for (const Row& row : rows) {
        const std::string shown = printable(row.key).substr(0, 80);
        CAPTURE(shown);
        CHECK(describe(check_path(row.key)) == describe(row.verdict));
    }
}

TEST_CASE("symlinks stay inside of the tree on their whole way") {
    for (const char* good : {"x", "../x", "../../x", "y/../../x", "./x", "a/b/c", "../d/../e"})
        CHECK_MESSAGE(check_symlink("a/b/l", good) == P::none, good);
    for (const char* bad : {"/etc/passwd", "../../../x", "../../../a/b/x", "y/../../../../x"})
        CHECK_MESSAGE(check_symlink("a/b/l", bad) == P::symlink_escapes, bad);
    CHECK(check_symlink("l", "..") == P::symlink_escapes);
    CHECK(check_symlink("l", "") == P::empty);
    CHECK(check_symlink("l", std::string("a\0b", 3)) == P::nul);
}

TEST_CASE("a file beside what lies below it is found, whatever sorts between them") {
    PathOrder order;
    CHECK(order.next("a") == P::none);
    CHECK(order.next("a!") == P::none);
    CHECK(order.next("a-x") == P::none);
    CHECK(order.next("a-x/y") == P::file_is_directory);
    CHECK(order.next("a/b") == P::file_is_directory);
    CHECK(order.next("a/b/c") == P::file_is_directory);
    CHECK(order.next("a0") == P::none);
    CHECK(order.next("b/c") == P::none);
    CHECK(order.next("b/c") == P::duplicate);
    CHECK(order.next("b/c/") == P::file_is_directory);
    CHECK(order.next("b/c0") == P::none);
    CHECK(order.next("d/") == P::none);
    CHECK(order.next("d/e") == P::none);
}

TEST_CASE("what gives way to what lies below it is gone once, and keeps nothing out") {
    PathOrder order;
    CHECK(order.next("a", 10, true) == P::none);
    CHECK(order.next("a", 11, true) == P::duplicate);
    CHECK(order.next("a-x", 11, false) == P::none);
    CHECK(order.gone().empty());
    CHECK(order.next("a/b", 12, true) == P::none);
    CHECK(order.next("a/b/c", 13, false) == P::none);
    CHECK(order.next("a/b/c/d", 14, false) == P::file_is_directory);
    CHECK(order.next("e", 14, true) == P::none);
    CHECK(order.next("e/", 15, false) == P::none);
    CHECK(order.gone() == std::vector<uint64_t>{10, 12, 14});
    // Below what stays nothing has to go.
    CHECK(order.next("f", 16, false) == P::none);
    CHECK(order.next("f/g", 17, true) == P::file_is_directory);
    CHECK(order.next("f/g/h", 17, false) == P::file_is_directory);
    CHECK(order.gone().size() == 3);
}
