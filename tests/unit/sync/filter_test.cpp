// What --include and --exclude leave out, and what an origin therefore need not touch.
#include "zcdp/sync/filter.hpp"

#include "src/sync/list/intake.hpp"
#include "src/sync/list/selection.hpp"
#include "tests/support/doctest.hpp"
#include "zcdp/base/random.hpp"

using namespace zcdp;
using namespace zcdp::sync;

namespace {

/// The rules of globs (filter.hpp) as they are written there, one after the other, at whatever cost.
bool by_the_rules(std::string_view glob, std::string_view path, bool at_component) {
    if (glob.empty()) return path.empty();
    if (glob.starts_with("**/") && at_component && by_the_rules(glob.substr(3), path, true)) return true;
    if (glob.starts_with("**")) {
        const bool components = at_component && glob.starts_with("**/");
        for (size_t i = 0; i <= path.size(); ++i) {
            const bool begins = i == 0 ? at_component : path[i - 1] == '/';
            if (components ? i > 0 && begins && by_the_rules(glob.substr(3), path.substr(i), true)
                           : by_the_rules(glob.substr(2), path.substr(i), begins))
                return true;
        }
        return false;
    }
    if (glob.front() == '*') {
        for (size_t i = 0; i <= path.size(); ++i) {
            if (by_the_rules(glob.substr(1), path.substr(i), i == 0 ? at_component : false)) return true;
            if (i < path.size() && path[i] == '/') return false;
        }
        return false;
    }
    if (path.empty() || (glob.front() == '?' ? path.front() == '/' : glob.front() != path.front())) return false;
    return by_the_rules(glob.substr(1), path.substr(1), path.front() == '/');
}

std::string any_text(SeededRandom& random, std::string_view letters, size_t length_max) {
    std::string text;
    for (uint64_t left = 1 + random.below(length_max); left > 0; --left) text += letters[random.below(letters.size())];
    return text;
}

/// A path without empty components.
std::string any_path(SeededRandom& random) {
    std::string path = any_text(random, "ab", 2);
    for (uint64_t parts = random.below(4); parts > 0; --parts) path += "/" + any_text(random, "ab", 2);
    return path;
}

using Verdict = origin::Selection::Verdict;

}  // namespace

TEST_CASE("globs match what their rules say") {
    SeededRandom random(20);
    for (int i = 0; i < 200'000; ++i) {
        const std::string glob = any_text(random, "ab*/?**", 7), path = any_path(random);
        if (glob.find("***") != std::string::npos) continue;
        CAPTURE(glob);
        CAPTURE(path);
        REQUIRE(glob_match(glob, path) == by_the_rules(glob, path, true));
    }
}

TEST_CASE("a folder that a glob names is one whose whole name it is, and at the top when the glob begins there") {
    CHECK_FALSE(Filter({}, {"train/"}).wants("train/x"));
    CHECK(Filter({}, {"train/"}).wants("retrain/x"));
    CHECK(Filter({}, {"**/x.bin"}).wants("matrix.bin"));
    CHECK_FALSE(Filter({}, {"/cache/"}).wants("cache/x"));
    CHECK(Filter({}, {"/cache/"}).wants("model/cache/x"));
    CHECK_FALSE(Filter({}, {"cache/"}).wants("model/cache/x"));
    CHECK_FALSE(Filter({}, {"a/cache/"}).wants("a/cache/x"));
    CHECK(Filter({}, {"a/cache/"}).wants("b/a/cache/x"));
}

TEST_CASE("an empty folder is left out with all that could be in it") {
    for (const char* glob : {"lost+found/", "/lost+found/", "lost+found/**", "lost+found", "*", "**"})
        CHECK_FALSE(Filter({}, {glob}).wants("lost+found/"));
    CHECK(Filter({}, {"lost+found/*.tmp"}).wants("lost+found/"));
    CHECK(Filter({"sub/"}, {}).wants("sub/"));
    CHECK(Filter({"a/b"}, {}).wants("a/b/"));
    CHECK_FALSE(Filter({"*.txt"}, {}).wants("sub/"));
}

TEST_CASE("a folder is not entered when nothing below it can be wanted") {
    struct Row {
        std::vector<std::string> include, exclude;
        const char* folder;
        bool may_hold;
    };
    for (const Row& row : std::initializer_list<Row>{{{"a/*/c.txt"}, {}, "", true},
                                                     {{"a/*/c.txt"}, {}, "a/", true},
                                                     {{"a/*/c.txt"}, {}, "a/x/", true},
                                                     {{"a/*/c.txt"}, {}, "b/", false},
                                                     {{"a/*/c.txt"}, {}, "a/x/c.txt/", false},
                                                     {{"a/*/c.txt"}, {}, "a/x/y/", false},
                                                     {{"a/**"}, {}, "a/x/y/", true},
                                                     {{"a/**"}, {}, "ab/", false},
                                                     {{"**/c.txt"}, {}, "b/x/", true},
                                                     {{"*.txt"}, {}, "b/x/", true},
                                                     {{"/b/"}, {}, "b/x/", true},
                                                     {{"/b/"}, {}, "a/b/", false},
                                                     {{"b/"}, {}, "a/", true},
                                                     {{"[ab]/x"}, {}, "b/", true},
                                                     {{"[ab]/x"}, {}, "c/", false},
                                                     {{"a/x", "b/x"}, {}, "b/", true},
                                                     {{"/x"}, {}, "b/", false},
                                                     {{}, {"dir/"}, "dir/", false},
                                                     {{}, {"dir/"}, "a/dir/b/", false},
                                                     {{}, {"dir/"}, "adir/", true},
                                                     {{}, {"/dir/"}, "a/dir/", true},
                                                     {{}, {"*"}, "", false},
                                                     {{}, {"**"}, "", false},
                                                     {{}, {"/**"}, "a/", false},
                                                     {{}, {"/*"}, "a/", true},
                                                     {{}, {"*.txt"}, "a/", true},
                                                     {{}, {"a/**/*"}, "a/", false},
                                                     {{}, {"a/**/*"}, "a/b/", false},
                                                     {{}, {"a/*"}, "a/", true},
                                                     {{}, {"a/**/x"}, "a/", true},
                                                     {{}, {"node_modules"}, "node_modules/", true},
                                                     {{"a/x"}, {"a/"}, "a/", false}}) {
        CAPTURE(row.include);
        CAPTURE(row.exclude);
        CAPTURE(row.folder);
        CHECK(Filter(row.include, row.exclude).may_hold(row.folder) == row.may_hold);
    }
}

TEST_CASE("whatever is wanted lies in folders that may hold it") {
    SeededRandom random(21);
    uint64_t wanted = 0, pruned = 0;
    for (int i = 0; i < 300'000; ++i) {
        const auto any_globs = [&] {
            std::vector<std::string> globs(random.below(3));
            for (auto& glob : globs) glob = any_text(random, "ab*/?[]!\\", 6);
            return globs;
        };
        const Filter filter(any_globs(), any_globs());
        const std::string path = any_path(random);
        for (size_t slash = 0; slash != std::string::npos; slash = path.find('/', slash + 1)) {
            const bool may_hold = filter.may_hold(slash == 0 ? "" : path.substr(0, slash + 1));
            pruned += !may_hold;
            if (filter.wants(path)) REQUIRE(may_hold);
        }
        wanted += filter.wants(path);
    }
    CHECK(wanted > 10'000);
    CHECK(pruned > 10'000);
}

TEST_CASE("what is left out is left alone whatever it is called; what would be wanted and is no path is refused") {
    const Filter filter({"*.bin"}, {"tmp/"});
    const FilterSelection selection(filter), of_any_name(filter, false);
    CHECK(selection.of("a.bin") == Verdict::take);
    CHECK(selection.of("a.txt") == Verdict::leave);
    CHECK(selection.of("a\n.txt") == Verdict::leave);
    CHECK(selection.of("tmp/a//b.bin") == Verdict::leave);
    CHECK(selection.of("a//b.bin") == Verdict::refuse);
    CHECK(of_any_name.of("a//b.bin") == Verdict::take);
    CHECK_FALSE(selection.may_hold("tmp/"));

    CHECK(selection.of("a\n/") == Verdict::refuse);  // it may have something in it that is wanted
    CHECK(selection.of("tmp/a\n/") == Verdict::leave);

    Refusals refusals;
    Names names(filter, refusals);
    Intake intake(refusals, false);
    std::vector<std::string> taken;
    const auto accept = [&](const origin::Entry& entry) { return taken.push_back(entry.path), Result<>(); };
    for (const char* path : {"a.bin", "a\n.txt", "b//c.bin", "tmp/..", "x", "x/y.bin"}) {
        origin::Entry entry;
        entry.path = path;
        if (names.wanted(entry)) REQUIRE(intake.take(std::move(entry), accept));
    }
    CHECK(taken == std::vector<std::string>{"a.bin", "x/y.bin"});  // x, which would be in its way, is left out
    CHECK(refusals.keys() == std::vector<std::string>{"b//c.bin (has an empty component ('//'))"});
}
