// Room on a small disk: what counts as there, what goes first, what never goes, and who is named when nothing may go.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "tests/support/doctest.hpp"

#include <filesystem>
#include <set>

#include "src/store/hold.hpp"
#include "tests/support/forwarding_fs.hpp"
#include "tests/support/temp_store.hpp"

using namespace zcdp;
using namespace zcdp::store;
using zcdp::test::TempStore;

namespace {

constexpr uint64_t kMiB = 1 << 20;
const TagScope kScope{"http://origin", "bucket", "me"};

/// A disk of so many bytes, on which the folder is all there is, and `others_bytes`.
class SmallDisk final : public test::ForwardingFs {
  public:
    SmallDisk() : ForwardingFs(system_fs()) {}
    std::string folder;
    uint64_t total_bytes = 0, others_bytes = 0;

    SysResult<FsSpace> space(int) override {
        uint64_t used = others_bytes;
        std::set<ino_t> seen;
        for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
            struct stat st;
            if (::lstat(entry.path().c_str(), &st) == 0 && S_ISREG(st.st_mode) && seen.insert(st.st_ino).second &&
                entry.path().string().find("index.db") == std::string::npos)
                used += static_cast<uint64_t>(st.st_blocks) * 512;
        }
        return FsSpace{total_bytes, total_bytes - std::min(used, total_bytes), 0, 0};
    }
};

struct Bench {
    explicit Bench(uint64_t total_bytes) : temp(disk) { disk.folder = temp.root(), disk.total_bytes = total_bytes; }
    SmallDisk disk;
    TempStore temp;

    std::string partial(const std::string& name) const { return temp.root() + "/partial/" + name; }
    std::set<std::string> partials() const {
        std::set<std::string> names;
        for (const auto& entry : std::filesystem::directory_iterator(temp.root() + "/partial"))
            if (const std::string name = entry.path().filename(); name.starts_with("p-") && !name.ends_with(".map"))
                names.insert(name);
        return names;
    }
    /// Left by a sync that was killed: all of its room is taken. Its name.
    std::string leave_partial(Store& store, const std::string& key, uint64_t size, int64_t age_s) {
        const auto before = partials();
        REQUIRE((*store.incoming())->open_partial(ByTag{kScope, key, Tag("t")}, size));
        for (const std::string& name : partials()) {
            if (before.contains(name)) continue;
            const timespec at{::time(nullptr) - age_s, 0}, both[2] = {at, at};
            for (const std::string& path : {partial(name), partial(name) + ".map"})
                REQUIRE(::utimensat(AT_FDCWD, path.c_str(), both, 0) == 0);
            return name;
        }
        FAIL("no partial file");
        return "";
    }
};

std::string text_of(char letter, uint64_t bytes) { return std::string(bytes, letter); }

}  // namespace

TEST_CASE("what a partial file has counts as there for its own resume, and only for that") {
    Bench bench(40 * kMiB);
    const uint64_t size = 24 * kMiB;
    {
        auto store = bench.temp.open();
        bench.leave_partial(*store, "big", size, 5);
    }
    auto store = bench.temp.open();
    auto hold = store->hold();
    CHECK(store->hold_partial(*hold, ByTag{kScope, "big", Tag("another tag")}, size) == 0);
    CHECK(store->hold_partial(*hold, ByTag{kScope, "big", Tag("t")}, size + 1) == 0);
    const uint64_t there = store->hold_partial(*hold, ByTag{kScope, "big", Tag("t")}, size);
    CHECK(there == size);
    REQUIRE(store->reserve(size - there, 1, hold));
    REQUIRE((*store->incoming(hold))->open_partial(ByTag{kScope, "big", Tag("t")}, size));
    CHECK(bench.partials().size() == 1);
    // To somebody else it is room that is taken, and stays taken while the first one runs.
    const auto refused = store->reserve(size, 1);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind() == ErrorKind::no_space);
    CHECK(bench.partials().size() == 1);
    hold.reset();
    CHECK(store->reserve(size, 1));
    CHECK(bench.partials().empty());
}

TEST_CASE("only what a partial file has allocated counts") {
    Bench bench(400 * kMiB);
    auto store = bench.temp.open();
    const std::string name = bench.leave_partial(*store, "big", 24 * kMiB, 5);
    REQUIRE(::truncate(bench.partial(name).c_str(), 8 * kMiB) == 0);
    REQUIRE(::truncate(bench.partial(name).c_str(), 24 * kMiB) == 0);
    CHECK(store->hold_partial(*store->hold(), ByTag{kScope, "big", Tag("t")}, 24 * kMiB) == 8 * kMiB);
}

TEST_CASE(
    "abandoned partial files go before anybody is refused, the least recently written first, and before snapshots") {
    Bench bench(64 * kMiB);
    auto store = bench.temp.open();
    const auto ready = bench.temp.snapshot(*store, {{"x", text_of('x', 8 * kMiB)}});
    const std::string young = bench.leave_partial(*store, "young", 16 * kMiB, 60),
                      old = bench.leave_partial(*store, "old", 16 * kMiB, 600);
    CHECK(store->usage()->evictable_bytes >= 40 * kMiB);
    REQUIRE(store->reserve(30 * kMiB, 1));
    CHECK(bench.partials() == std::set<std::string>{young});
    CHECK_FALSE(std::filesystem::exists(bench.partial(old) + ".map"));
    REQUIRE(store->reserve(46 * kMiB, 1));
    CHECK(bench.partials().empty());
    CHECK(store->find(ready.id.str()));
    REQUIRE(store->reserve(55 * kMiB, 1));
    CHECK_FALSE(store->find(ready.id.str()));
}

TEST_CASE("what cannot fit costs nobody a partial file, and nobody is named who has nothing") {
    Bench bench(64 * kMiB);
    auto store = bench.temp.open();
    bench.leave_partial(*store, "part/of it", 16 * kMiB, 3700);
    const auto pinned = bench.temp.snapshot(*store, {{"x", text_of('x', 4 * kMiB)}}),
               used = bench.temp.snapshot(*store, {{"y", text_of('y', 2 * kMiB)}});
    REQUIRE(store->pin(pinned.id, true));
    REQUIRE(store->lease(used.id, "pod", 0));
    REQUIRE(replace_file(system_fs(), AT_FDCWD, bench.temp.root() + "/quarantine/1-a-b", text_of('q', 1 * kMiB), 0644));
    bench.disk.others_bytes = 10 * kMiB;
    const auto refused = store->reserve(100 * kMiB, 1);
    REQUIRE_FALSE(refused);
    const std::string what = refused.error().what();
    CAPTURE(what);
    CHECK(bench.partials().size() == 1);
    for (const char* part : {"2 snapshots 6 MiB (pinned 4 MiB, in use 2 MiB)",
                             "1 unfinished download 16 MiB (http://origin/bucket/part/of it, 1h01m", "quarantine 1 MiB",
                             "others on the disk 10 MiB", "could evict 16"})
        CHECK(what.find(part) != std::string::npos);
    CHECK(what.find("blobs of no snapshot") == std::string::npos);
    CHECK(refused.error().line().find('\n') == std::string::npos);
    const auto report = store->room();
    REQUIRE(report);
    CHECK(report->pinned_bytes == 4 * kMiB);
    CHECK(report->leased_bytes == 2 * kMiB);
    REQUIRE(report->unfinished.size() == 1);
    CHECK(report->unfinished[0].object == "http://origin/bucket/part/of it");
    CHECK_FALSE(report->unfinished[0].running);
}

TEST_CASE("room that was promised is used up by what is written, so that it is not asked for twice") {
    Bench bench(64 * kMiB);
    auto store = bench.temp.open();
    auto first = store->hold();
    REQUIRE(store->reserve(40 * kMiB, 2, first));
    CHECK_FALSE(store->reserve(24 * kMiB, 1));  // promised, not written
    auto incoming = store->incoming(first);
    REQUIRE((*incoming)->open_partial(ByTag{kScope, "big", Tag("t")}, 32 * kMiB));
    const std::string small = text_of('s', 8 * kMiB);
    REQUIRE((*incoming)->stage(bench.temp.ref(small), bench.temp.bytes(small)));
    CHECK(store->reserve(20 * kMiB, 1));
    CHECK_FALSE(store->reserve(26 * kMiB, 1));  // 40 of 64 are on the disk
}

TEST_CASE("files of a sync that never ended go as well, but not those that a running one counts on") {
    Bench bench(64 * kMiB);
    auto store = bench.temp.open();
    const std::string wanted = text_of('w', 8 * kMiB), left = text_of('l', 8 * kMiB);
    {
        auto incoming = store->incoming();
        for (const auto& text : {wanted, left})
            REQUIRE((*incoming)->stage(bench.temp.ref(text), bench.temp.bytes(text)));
        REQUIRE((*incoming)->commit(kScope, {}));
    }
    auto again = store->hold();
    CHECK(store->hold_blob(*again, bench.temp.ref(wanted)));
    REQUIRE(store->reserve(50 * kMiB, 1, again));
    CHECK(store->has_blob(bench.temp.ref(wanted)));
    CHECK_FALSE(store->has_blob(bench.temp.ref(left)));
    CHECK(*store->gc(-10) == 0);
    again.reset();
    CHECK(*store->gc(-10) == 8 * kMiB);
}

TEST_CASE("a snapshot that is evicted leaves the blobs that a running sync counts on") {
    Bench bench(64 * kMiB);
    auto store = bench.temp.open();
    const std::string shared = text_of('s', 16 * kMiB / 2), own = text_of('o', 8 * kMiB);
    const auto before = bench.temp.snapshot(*store, {{"shared", shared}, {"own", own}});
    auto hold = store->hold();
    CHECK(store->hold_blob(*hold, bench.temp.ref(shared)));
    REQUIRE(store->reserve(50 * kMiB, 1, hold));
    CHECK_FALSE(store->find(before.id.str()));
    CHECK_FALSE(store->has_blob(bench.temp.ref(own)));
    CHECK(store->has_blob(bench.temp.ref(shared)));
}

TEST_CASE("where nobody waits for room, a download between two attempts keeps its partial file") {
    Bench bench(64 * kMiB);
    auto store = bench.temp.open();
    const std::string young = bench.leave_partial(*store, "young", 16 * kMiB, 60);
    bench.leave_partial(*store, "old", 16 * kMiB, 3600);
    bench.disk.others_bytes = 40 * kMiB;
    REQUIRE(store->reserve(0, 0));
    CHECK(bench.partials() == std::set<std::string>{young});
}

TEST_CASE("gc frees partial files, but not younger ones than asked for, and none that is being filled") {
    Bench bench(640 * kMiB);
    auto store = bench.temp.open();
    const std::string young = bench.leave_partial(*store, "young", 2 * kMiB, 60),
                      old = bench.leave_partial(*store, "old", 2 * kMiB, 3600);
    auto incoming = store->incoming();
    auto filled = (*incoming)->open_partial(ByTag{kScope, "filled", Tag("t")}, 2 * kMiB);
    CHECK(*store->gc(3600, 600) >= 2 * kMiB);
    CHECK(bench.partials().size() == 2);
    CHECK(*store->gc(3600, 0) >= 2 * kMiB);
    CHECK(bench.partials().size() == 1);
    CHECK(store->room()->unfinished.at(0).running);
    CHECK((*filled)->finish().error().kind() == ErrorKind::failed);  // still there, not complete
}

TEST_CASE("a filter of digests knows all that it was given, and few others") {
    DigestFilter filter;
    const auto digest = [](uint64_t number) { return Digest{DigestKind::sha256, Sha256::of(std::to_string(number))}; };
    CHECK_FALSE(filter.may_have(digest(0)));
    constexpr uint64_t kMany = 200'000;
    for (uint64_t i = 0; i < kMany; ++i) filter.add(digest(i));
    uint64_t missed = 0, others = 0;
    for (uint64_t i = 0; i < kMany; ++i)
        missed += !filter.may_have(digest(i)), others += filter.may_have(digest(kMany + i));
    CHECK(missed == 0);
    CHECK(others < kMany / 1000);
}
