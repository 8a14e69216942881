// A listing in any order becomes a list in order: sorting in runs, doubles, what gives way, and beginning again.
#include <algorithm>
#include <random>

#include "src/sync/list/collect.hpp"
#include "tests/support/doctest.hpp"
#include "tests/support/temp_folder.hpp"
#include "zcdp/base/random.hpp"
#include "zcdp/base/scratch.hpp"

using namespace zcdp;
using namespace zcdp::sync;
using zcdp::test::TempFolder;

namespace {

origin::Entry file(std::string path, uint64_t size = 1, std::string tag = "t") {
    origin::Entry entry;
    entry.path = std::move(path), entry.size_bytes = size, entry.tag = Tag(std::move(tag));
    return entry;
}
origin::Entry folder(std::string path) {
    origin::Entry entry = file(std::move(path), 0, "");
    entry.kind = origin::EntryKind::directory;
    return entry;
}

struct Collected {
    std::vector<std::string> paths;
    std::string revision;
    uint64_t files = 0, bytes = 0, refused = 0;
    std::vector<std::string> keys;
    bool in_order = false;
};

/// `twice`: all of it is taken, and then the listing begins again.
Collected collect(std::vector<origin::Entry> entries, bool skip = true, bool twice = false) {
    TempFolder temp;
    const Filter filter({}, {"*.no"});
    Collector collector(filter, skip, system_fs(), system_random(), temp.path());
    for (int round = twice ? 0 : 1; round < 2; ++round) {
        REQUIRE(collector.begin());
        for (const auto& entry : entries) REQUIRE(collector.take(origin::Entry(entry)));
    }
    auto list = collector.finish({});
    REQUIRE(list);
    Collected out;
    SpoolReader reader = list->read(system_fs());
    for (SpoolEntry record; *reader.next(record);) out.paths.push_back(record.entry.path);
    out.files = collector.tally().files(), out.bytes = collector.tally().bytes();
    const Sha256Bytes revision = collector.tally().revision();
    out.revision = to_hex(revision);
    out.refused = collector.refusals().count(), out.keys = collector.refusals().keys();
    out.in_order = collector.in_order();
    return out;
}
using Paths = std::vector<std::string>;

}  // namespace

TEST_CASE("the order of a listing changes nothing: list, revision, sums, refusals") {
    std::vector<origin::Entry> entries{folder(""),       file("7", 0),     file("7-x", 3),
                                       file("7.no", 9),  folder("7/"),     file("7/501/810.jpg", 4),
                                       folder("7/502/"), folder("7/503/"), file("7/503/146.jpg", 5),
                                       file("a", 6),     file("a/b", 7),   file("b//c", 8),
                                       folder("empty/"), file("z", 2)};
    const Collected want = collect(entries);
    CHECK(want.in_order);
    CHECK(want.paths == Paths{"7-x", "7/501/810.jpg", "7/502/", "7/503/146.jpg", "a", "empty/", "z"});
    CHECK(want.files == 5);
    CHECK(want.bytes == 3 + 4 + 5 + 6 + 2);
    CHECK(want.refused == 3);  // 7, a/b and b//c
    std::mt19937 random(7);
    for (int round = 0; round < 200; ++round) {
        std::shuffle(entries.begin(), entries.end(), random);
        const Collected got = collect(entries, true, round % 2 == 0);
        CAPTURE(round);
        REQUIRE(got.paths == want.paths);
        REQUIRE(got.revision == want.revision);
        REQUIRE(got.bytes == want.bytes);
        REQUIRE(got.refused == want.refused);
    }
}

TEST_CASE("an empty object that is named like a folder gives way to it when bad keys are skipped, and is named") {
    const std::vector<origin::Entry> entries{file("7", 0), file("7-x"),  file("7/5", 0), file("7/5/x"),
                                             file("7/6"),  file("8", 0), file("8-x")};
    const Collected skip = collect(entries);
    CHECK(skip.paths == Paths{"7-x", "7/5/x", "7/6", "8", "8-x"});
    CHECK(skip.keys == Paths{"7 (is empty and named like a folder)", "7/5 (is empty and named like a folder)"});
    CHECK(skip.revision == collect({file("7-x"), file("7/5/x"), file("7/6"), file("8", 0), file("8-x")}).revision);
    const Collected refuse = collect(entries, false);
    CHECK(refuse.paths == Paths{"7", "7-x", "8", "8-x"});
    CHECK(refuse.refused == 3);
    // One with content does not: what lies below it is what is left out, also the empty one there.
    const Collected full = collect({file("7", 1), file("7/5", 0), file("7/5/x")});
    CHECK(full.paths == Paths{"7"});
    CHECK(full.refused == 2);
    // A marker is a folder as well.
    CHECK(collect({file("7", 0), folder("7/")}).paths == Paths{"7/"});
}

TEST_CASE("a key that comes twice is one, unless it is not the same") {
    for (const bool apart : {false, true}) {
        std::vector<origin::Entry> same{file("a"), file("a"), file("b")},
            other{file("a"), file("a", 1, "u"), file("b")};
        if (apart) std::swap(same[1], same[2]), std::swap(other[1], other[2]);
        CHECK(collect(same).paths == Paths{"a", "b"});
        CHECK(collect(same).refused == 0);
        CHECK(collect(other).refused == 1);
        CHECK(collect(other).keys[0] == "a (appears twice)");
    }
}

TEST_CASE("a sorter merges what it held, what it wrote, and runs of others") {
    TempFolder temp;
    std::vector<std::string> want;
    for (int i = 0; i < 20'000; ++i) want.push_back("some/folder/" + std::to_string(100'000 + i * 7 % 20'000));
    std::vector<std::string> shuffled = want;
    std::shuffle(shuffled.begin(), shuffled.end(), std::mt19937(3));
    std::sort(want.begin(), want.end());
    auto head = open_scratch(system_fs(), temp.path(), system_random());
    SpoolWriter run(system_fs(), head->get());
    std::sort(shuffled.begin(), shuffled.begin() + 3'000);
    for (int i = 0; i < 3'000; ++i)
        REQUIRE(run.add(file(shuffled[static_cast<size_t>(i)], 5, "tag" + shuffled[static_cast<size_t>(i)])));
    REQUIRE(run.finish());
    EntrySorter sorter(system_fs(), system_random(), temp.path(), 100'000);
    sorter.add_run(head->get(), run.count());
    for (size_t i = 3'000; i < shuffled.size(); ++i) REQUIRE(sorter.add(file(shuffled[i], 5, "tag" + shuffled[i])));
    REQUIRE(sorter.finish());
    for (const std::string& path : want) {
        origin::Entry* const entry = *sorter.next();
        REQUIRE(entry);
        REQUIRE(entry->path == path);
        REQUIRE(entry->tag.str() == "tag" + path);
    }
    CHECK_FALSE(*sorter.next());
    CHECK_FALSE(*sorter.next());
}
