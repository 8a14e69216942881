// What is remembered of a source, and when it is not believed.
#include "src/datastore/client/digest_cache.hpp"

#include "tests/support/put_bench.hpp"

namespace zcdp::datastore {
namespace {

struct Bench : test::PutBench {
    /// Which files had to be hashed.
    std::vector<std::string> unknown(bool ignored = false) {
        const PutSource tree = source();
        auto cache = DigestCache::open(machine, tree.cache_name(), tree.device(), ignored);
        const auto listed = list(tree, cache);
        REQUIRE(listed);
        std::vector<std::string> out;
        for (const PutEntry& one : entries(*listed))
            if (one.entry.kind == store::FileKind::file && !one.hashed) out.push_back(one.entry.path);
        return out;
    }
    std::string cache_file() {
        for (const auto& one : std::filesystem::directory_iterator(cache_home + "/zcdp-digests"))
            return one.path().string();
        return "";
    }
    using Paths = std::vector<std::string>;
};

}  // namespace

TEST_CASE_FIXTURE(Bench, "an unchanged tree is known, and gives the same snapshot without a look into a file") {
    for (const char* name : {"a", "b/c", "b/d", "b-e"}) write(name, name);
    write("long", test::many_bytes((8 << 20) + 1));
    const auto first = prepare(source());
    REQUIRE(first);
    CHECK(unknown().empty());
    fs.opened = 0;
    const auto second = prepare(source());
    REQUIRE(second);
    CHECK(second->snapshot == first->snapshot);
    CHECK(fs.opened == 0);
    for (const PutEntry& one : entries(second->list)) CHECK(one.hashed);
}

TEST_CASE_FIXTURE(Bench, "of a changed tree only what changed is unknown, wherever it sorts") {
    for (const char* name : {"a", "b", "c", "e", "f"}) write(name, name);
    REQUIRE(prepare(source()));
    write("b", "B");       // the same size
    write("c", "longer");  // another one
    write("d", "new");
    std::filesystem::remove(path("tree/e"));
    CHECK(unknown() == Paths{"b", "c", "d"});
    REQUIRE(prepare(source()));
    CHECK(unknown().empty());
    write("0", "first");
    write("z", "last");
    CHECK(unknown() == Paths{"0", "z"});
}

TEST_CASE_FIXTURE(Bench, "a file with the old size and the old mtime is unknown when something was written into it") {
    write("a", "one");
    age("a");
    REQUIRE(prepare(source()));
    write("a", "two");
    age("a");
    CHECK(unknown() == Paths{"a"});
}

TEST_CASE_FIXTURE(Bench, "a file that was written right before the walk is not believed the next time") {
    write("old", "x");
    write("fresh", "y");
    struct stat st = {};
    REQUIRE(::stat(path("tree/fresh").c_str(), &st) == 0);
    clock.jump_ns(int64_t{st.st_ctim.tv_sec} * 1'000'000'000 + st.st_ctim.tv_nsec + 1'999'000'000 - clock.unix_ns());
    age("old");  // its ctime is as fresh
    REQUIRE(prepare(source()));
    CHECK(unknown() == Paths{"fresh", "old"});
    clock.advance_ns(10'000'000);
    REQUIRE(prepare(source()));
    CHECK(unknown().empty());
}

TEST_CASE_FIXTURE(Bench, "a cache that is ignored is written anew") {
    write("a", "x");
    REQUIRE(prepare(source()));
    CHECK(unknown(/*ignored=*/true) == Paths{"a"});
    REQUIRE(prepare(source(), "a/key", /*ignore_cache=*/true));
    CHECK(unknown().empty());
}

TEST_CASE_FIXTURE(Bench, "two sources have caches of their own, and one that came from another device is none") {
    write("a", "x");
    REQUIRE(prepare(source()));
    std::filesystem::copy(path("tree"), path("other"), std::filesystem::copy_options::recursive);
    const PutSource other = source("other");
    auto cache = DigestCache::open(machine, other.cache_name(), other.device(), false);
    REQUIRE(list(other, cache));
    CHECK_FALSE(entries(*list(other, cache))[0].hashed);
    const PutSource tree = source();
    auto moved = DigestCache::open(machine, tree.cache_name(), tree.device() + 1, false);
    CHECK_FALSE(entries(*list(tree, moved))[0].hashed);
}

TEST_CASE_FIXTURE(Bench, "a cache that is cut off or damaged costs what it lost, and never gives another digest") {
    for (const char* name : {"a", "b", "c", "d"}) write(name, name);
    const auto want = prepare(source());
    REQUIRE(want);
    const std::string file = cache_file();
    const auto size = std::filesystem::file_size(file);
    std::string whole(size, '\0');
    std::ifstream(file).read(whole.data(), static_cast<std::streamsize>(size));
    for (size_t at = 0; at < size; at += 7) {
        std::string damaged = whole;
        damaged[at] = static_cast<char>(damaged[at] ^ 0x20);
        std::ofstream(file) << damaged;
        const auto have = prepare(source());
        REQUIRE(have);
        CHECK(have->snapshot == want->snapshot);
        std::ofstream(file) << whole.substr(0, at);
        CHECK(prepare(source())->snapshot == want->snapshot);
    }
}

TEST_CASE_FIXTURE(Bench, "what killed runs left goes, and so does what nobody has put for months") {
    write("a", "x");
    REQUIRE(prepare(source()));
    const std::string folder = cache_home + "/zcdp-digests/";
    for (const char* name : {"abc.0123.tmp", "forgotten", "recent"}) std::ofstream(folder + name) << "x";
    const auto set_back = [&](const char* name, int64_t seconds) {
        const timespec time{clock.unix_s() - seconds, 0}, times[2] = {time, time};
        REQUIRE(::utimensat(AT_FDCWD, (folder + name).c_str(), times, 0) == 0);
    };
    set_back("abc.0123.tmp", 25 * 3600);
    set_back("forgotten", 91 * 24 * 3600);
    set_back("recent", 25 * 3600);
    write("b", "y");
    REQUIRE(prepare(source()));
    CHECK_FALSE(std::filesystem::exists(folder + "abc.0123.tmp"));
    CHECK_FALSE(std::filesystem::exists(folder + "forgotten"));
    CHECK(std::filesystem::exists(folder + "recent"));
}

TEST_CASE_FIXTURE(Bench, "where no cache can be, all is hashed, and that is no error") {
    write("a", "x");
    std::ofstream(cache_home) << "a file where the folder should be";
    CHECK(prepare(source()));
    CHECK(unknown() == Paths{"a"});
}

}  // namespace zcdp::datastore
