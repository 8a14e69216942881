// Listings of folders through windows of their names: the windows against a plain sort, pages against the whole truth,
// and how often a folder is read for them.
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "src/services/serve/folder_cursor.hpp"
#include "src/services/serve/folder_windows.hpp"
#include "src/services/serve/list_page.hpp"
#include "tests/support/doctest.hpp"
#include "tests/support/temp_folder.hpp"
#include "zcdp/base/clock.hpp"
#include "zcdp/base/fs.hpp"
#include "zcdp/base/metrics.hpp"
#include "zcdp/base/name_window.hpp"
#include "zcdp/base/random.hpp"

using namespace zcdp;
using namespace zcdp::services::serve;
using zcdp::test::TempFolder;

namespace {

using Names = std::vector<std::string>;

Names random_names(SeededRandom& random, size_t count) {
    std::set<std::string> names;
    while (names.size() < count) {
        std::string name;
        for (uint64_t left = 1 + random.below(random.below(8) == 0 ? 200 : 6); left > 0; --left)
            name += "!./0aZ\x7e\xc3"[random.below(8)];
        names.insert(name);
    }
    Names out(names.begin(), names.end());
    for (size_t i = out.size(); i > 1; --i) std::swap(out[i - 1], out[random.below(i)]);
    return out;
}

NameWindow window_of(const Names& names, std::string_view from, size_t bytes_max) {
    NameWindowBuilder builder(from, bytes_max);
    for (const std::string& name : names) builder.add(name);
    return std::move(builder).finish();
}

Names all_of(const NameWindow& window) {
    Names out;
    for (size_t i = 0; i < window.size(); ++i) out.emplace_back(window[i]);
    return out;
}

/// A bucket in memory with windows so small that its folders need many.
struct Bucket {
    explicit Bucket(FolderWindowLimits wanted = {300, 2000})
        : limits(wanted), windows(std::make_unique<FolderWindows>(system_fs(), clock, reads, limits)) {}
    void add(const std::string& key) {
        const std::filesystem::path path = temp.path() + "/" + key;
        std::filesystem::create_directories(path.parent_path());
        Fd(::open(path.c_str(), O_WRONLY | O_CREAT, 0644));
        keys.insert(key);
    }
    /// Long enough after the last change for the file system's clock to have moved on.
    void settle() { clock.jump_ns(system_clock().unix_ns() + 10'000'000'000 - clock.unix_ns()); }
    ListPage page(const ListQuery& query) {
        const Fd root(::open(temp.path().c_str(), O_RDONLY | O_DIRECTORY));
        FolderCursor cursor(system_fs(), *windows, root.get(), query);
        auto page = list_page(query, cursor);
        REQUIRE(page);
        return std::move(*page);
    }
    /// All pages of a listing, the folders with a '/' at their end.
    Names list(ListQuery query) {
        Names out;
        while (true) {
            const ListPage got = page(query);
            CHECK(got.entries.size() <= query.max_keys);
            for (const ListEntry& entry : got.entries) out.push_back(entry.name);
            if (!got.truncated) return out;
            REQUIRE(got.next_from > query.from);
            query.from = got.next_from;
        }
    }
    /// What a listing has to give, from the keys themselves.
    Names truth(const ListQuery& query) const {
        Names out;
        for (const std::string& key : keys) {
            if (key < query.from || !key.starts_with(query.prefix)) continue;
            const size_t at = query.delimiter.empty() ? key.npos : key.find(query.delimiter, query.prefix.size());
            const std::string name = at == key.npos ? key : key.substr(0, at + query.delimiter.size());
            if (out.empty() || out.back() != name) out.push_back(name);
        }
        return out;
    }

    TempFolder temp{true};
    std::set<std::string> keys;
    ManualClock clock{0};
    Counter reads;
    const FolderWindowLimits limits;
    std::unique_ptr<FolderWindows> windows;
};

void add_numbered(Bucket& bucket, const std::string& folder, size_t count) {
    for (size_t i = 0; i < count; ++i) bucket.add(folder + std::to_string(100'000 + i));
}

}  // namespace

TEST_CASE("a window holds the smallest names from a start on, whatever the order they come in") {
    SeededRandom random(7);
    for (int round = 0; round < 300; ++round) {
        const Names names = random_names(random, random.below(400));
        const std::string from = names.empty() || random.below(4) == 0
                                     ? ""
                                     : names[random.below(names.size())] + (random.below(2) ? "" : "0");
        const size_t bytes_max = 100 + random.below(6000);
        const NameWindow window = window_of(names, from, bytes_max);
        Names sorted = names;
        std::sort(sorted.begin(), sorted.end());
        const Names have = all_of(window);
        // Without a gap: a run of the sorted names, which holds the first one >= from.
        const auto begin = have.empty() ? sorted.end() : std::lower_bound(sorted.begin(), sorted.end(), have.front());
        REQUIRE(static_cast<size_t>(sorted.end() - begin) >= have.size());
        REQUIRE(std::equal(have.begin(), have.end(), begin));
        REQUIRE(window.covers(from));
        const auto first = std::lower_bound(sorted.begin(), sorted.end(), from);
        REQUIRE((first == sorted.end() ? window.find(from) == window.size() : window[window.find(from)] == *first));
        REQUIRE(window.complete() == (have.empty() || have.back() == sorted.back()));
        REQUIRE((window.memory_bytes() <= bytes_max + 64 || window.size() == 1));
        // No more is left out than has to be: one name more would not fit.
        if (!window.complete())
            REQUIRE(window.memory_bytes() + begin[static_cast<ptrdiff_t>(have.size())].size() + 8 > bytes_max);
        // It never says that it knows what it does not.
        for (int probe = 0; probe < 20 && !names.empty(); ++probe) {
            const std::string& name = names[random.below(names.size())];
            const auto place = std::lower_bound(have.begin(), have.end(), name);
            if (window.covers(name)) REQUIRE((place != have.end() && *place == name));
        }
    }
}

TEST_CASE("windows one after the other give every name once; a folder that fits is whole from any start") {
    SeededRandom random(8);
    const Names names = random_names(random, 2000);
    Names have;
    std::string from;
    size_t windows = 0;
    while (true) {
        const NameWindow window = window_of(names, from, 4000);
        ++windows;
        for (size_t i = window.find(from); i < window.size(); ++i) have.emplace_back(window[i]);
        if (window.complete()) break;
        CHECK_FALSE(window.covers(have.back() + '\0'));
        from = have.back() + '\0';
    }
    Names sorted = names;
    std::sort(sorted.begin(), sorted.end());
    CHECK(have == sorted);
    CHECK(windows > 10);
    const NameWindow whole = window_of(names, "a", 10 << 20);
    CHECK(all_of(whole) == sorted);
    CHECK(whole.covers(""));
    CHECK(all_of(window_of({"b", "a", "b"}, "", 100)) == Names{"a", "b"});
    CHECK(all_of(window_of({"b", std::string(255, 'a')}, "", 1)) == Names{std::string(255, 'a')});
}

TEST_CASE("where a folder's names begin for a listing that begins at some key") {
    CHECK(first_name("", "") == "");
    CHECK(first_name("a/", "a") == "");
    CHECK(first_name("a/", "a/") == "");
    CHECK(first_name("a/", "a/b") == "b");
    CHECK(first_name("a/", "a/b/c/d") == "b/");
    CHECK(first_name("", "b") == "b");
    CHECK(first_name("", "b/") == "b/");
    CHECK(first_name("b/", "a/x") == "");
    CHECK_FALSE(first_name("a/", "a0"));
    CHECK_FALSE(first_name("a/", "b/"));
}

TEST_CASE("pages of random trees give what a plain sort of the keys gives") {
    SeededRandom random(9);
    const auto part = [&] {
        std::string name;
        for (uint64_t left = 1 + random.below(4); left > 0; --left) name += "a-.!b"[random.below(5)];
        return name;
    };
    for (int round = 0; round < 8; ++round) {
        Bucket bucket;
        for (int i = 0; i < 250; ++i) {
            std::string key;
            for (uint64_t depth = random.below(4); depth > 0; --depth) key += part() + "x/";  // never a file's name
            bucket.add(key + part() + "y");
        }
        std::filesystem::create_directories(bucket.temp.path() + "/empty/deep/er");
        std::filesystem::create_directories(bucket.temp.path() + "/a-/only/folders");
        std::filesystem::create_symlink("/etc", bucket.temp.path() + "/link");
        std::filesystem::create_directories(bucket.temp.path() + "/.zcdp");
        Fd(::open((bucket.temp.path() + "/.zcdp/own").c_str(), O_WRONLY | O_CREAT, 0644));
        if (round % 2 == 0) bucket.settle();
        const Names all(bucket.keys.begin(), bucket.keys.end());
        for (int i = 0; i < 60; ++i) {
            const std::string& some = all[random.below(all.size())];
            ListQuery query;
            if (random.below(2)) query.prefix = some.substr(0, random.below(some.size() + 1));
            query.delimiter = std::array{"", "/", "/", "-", "a", "x/"}[random.below(6)];
            query.max_keys = 1 + random.below(random.below(3) ? 8 : 300);
            if (random.below(2))
                query.from = after_marker(all[random.below(all.size())].substr(0, 1 + random.below(16)), query.prefix,
                                          query.delimiter);
            INFO("prefix ", query.prefix, " delimiter ", query.delimiter, " from ", query.from, " max ",
                 query.max_keys);
            REQUIRE(bucket.list(query) == bucket.truth(query));
        }
    }
}

TEST_CASE("prefixes that are no folders of the bucket list nothing") {
    Bucket bucket;
    for (const char* key : {"a/b/c", "a/d", "e", ".zcdp/own"}) bucket.add(key);
    std::filesystem::create_symlink("a", bucket.temp.path() + "/link");
    for (const char* prefix : {"a//", "a//b", "./", "../", "a/../", "a/./b", "/", "/a", "link/", "e/", "nothere/",
                               ".zcdp/", ".zcdp/o", ".z"}) {
        INFO(prefix);
        CHECK(bucket.list({.prefix = prefix}).empty());
    }
    CHECK(bucket.list({.prefix = "a/b/"}) == Names{"a/b/c"});
    CHECK(bucket.list({.prefix = "a", .delimiter = "/"}) == Names{"a/"});
    CHECK(bucket.list({.prefix = "a/b", .delimiter = "/"}) == Names{"a/b/"});
}

TEST_CASE("a folder is a common prefix while keys of it lie behind the start, and no longer") {
    Bucket bucket;
    for (const char* key : {"a/b/c", "a/d", "e"}) bucket.add(key);
    const auto behind = [&](std::string_view marker) {
        return bucket.list({.delimiter = "/", .from = after_marker(marker, "", "/")});
    };
    CHECK(behind("") == Names{"a/", "e"});
    CHECK(behind("a") == Names{"a/", "e"});
    CHECK(behind("a/b/c") == Names{"a/", "e"});
    CHECK(behind("a/d") == Names{"e"});
    CHECK(behind("a/") == Names{"e"});
    CHECK(behind("e").empty());
}

TEST_CASE("a folder is read once a window and not once a page") {
    Bucket bucket({60'000, 200'000});  // 14 bytes a name: some 4,000 of them
    add_numbered(bucket, "", 10'000);
    bucket.settle();
    CHECK(bucket.list({.max_keys = 100}).size() == 10'000);
    CHECK(bucket.reads.value() == 3);
    CHECK(bucket.list({.delimiter = "/", .max_keys = 100}).size() == 10'000);
    CHECK(bucket.reads.value() <= 3);  // all its windows are kept
    // Prefixes rolled up within names: the windows are skipped through, not read again for each.
    CHECK(bucket.list({.delimiter = "5", .max_keys = 100}) == bucket.truth({.delimiter = "5"}));
    CHECK(bucket.reads.value() <= 3);
}

TEST_CASE("a page that shows common prefixes reads no folder below them") {
    Bucket bucket({1 << 20, 4 << 20});
    for (int i = 0; i < 50; ++i) add_numbered(bucket, "f" + std::to_string(10 + i) + "/", 100);
    bucket.settle();
    CHECK(bucket.list({.delimiter = "/", .max_keys = 10}).size() == 50);
    CHECK(bucket.reads.value() == 1);
    CHECK(bucket.list({.max_keys = 90}).size() == 5000);
    CHECK(bucket.reads.value() == 51);
    // Below a prefix nothing above it is read.
    bucket.windows = std::make_unique<FolderWindows>(system_fs(), bucket.clock, bucket.reads);
    CHECK(bucket.list({.prefix = "f20/1000", .max_keys = 7}).size() == 100);
    CHECK(bucket.reads.value() == 52);
}

TEST_CASE("a folder that changed is read again; one that changed just now is not trusted") {
    Bucket bucket;
    add_numbered(bucket, "", 5);
    bucket.clock.jump_ns(system_clock().unix_ns());
    CHECK(bucket.list({}).size() == 5);
    CHECK(bucket.list({}).size() == 5);
    CHECK(bucket.reads.value() == 2);
    bucket.settle();
    CHECK(bucket.list({}).size() == 5);
    CHECK(bucket.list({}).size() == 5);
    CHECK(bucket.reads.value() == 3);
    bucket.add("new");
    CHECK(bucket.list({}).size() == 6);
    CHECK(bucket.reads.value() == 4);
    bucket.settle();
    CHECK(bucket.list({}).size() == 6);
    const uint64_t before = bucket.reads.value();
    bucket.clock.advance_ns(61'000'000'000);  // for file systems that never move a folder's times
    CHECK(bucket.list({}).size() == 6);
    CHECK(bucket.reads.value() == before + 1);
}

TEST_CASE("within one page a folder that changes all the time is read once a window") {
    Bucket bucket({100'000, 200'000});
    add_numbered(bucket, "", 3000);
    bucket.clock.jump_ns(system_clock().unix_ns());  // nothing is settled
    CHECK(bucket.page({.delimiter = "1", .max_keys = 1000}).entries.size() == 1);
    CHECK(bucket.page({.prefix = "10", .delimiter = "9", .max_keys = 1000}).entries.size() == 1000);
    CHECK(bucket.reads.value() == 2);
}

TEST_CASE("windows that are kept stay below their bound") {
    Bucket bucket({100'000, 20'000});
    for (int i = 0; i < 100; ++i) add_numbered(bucket, "f" + std::to_string(10 + i) + "/", 60);
    bucket.settle();
    CHECK(bucket.list({}).size() == 6000);
    CHECK(bucket.reads.value() >= 101);
    CHECK(bucket.windows->kept_bytes() <= 20'000);
    CHECK(bucket.windows->kept_bytes() > 10'000);
}

TEST_CASE("listings at the same time share their windows") {
    Bucket bucket({300, 1500});
    for (int i = 0; i < 8; ++i) add_numbered(bucket, "f" + std::to_string(10 + i) + "/", 60);
    bucket.settle();
    std::vector<Names> have(6);
    {
        std::vector<std::jthread> threads;
        for (size_t i = 0; i < have.size(); ++i)
            threads.emplace_back([&, i] { have[i] = bucket.list({.max_keys = 40 + i}); });
    }
    for (const Names& each : have) CHECK(each == bucket.truth({}));
    CHECK(bucket.windows->kept_bytes() <= 1500);
}

TEST_CASE("a page without keys ends all the same: version 2 clients are told to go on, the others wait") {
    Bucket bucket({1 << 20, 4 << 20});
    for (int i = 0; i < 10'010; ++i) ::mkdir((bucket.temp.path() + "/" + std::to_string(10'000 + i)).c_str(), 0755);
    bucket.add("z");
    const ListPage page = bucket.page({});
    CHECK(page.entries.empty());
    CHECK(page.truncated);
    CHECK(bucket.list({}) == Names{"z"});
    CHECK(bucket.list({.delimiter = "/"}) == Names{"z"});
    CHECK(bucket.page({.may_pause = false}).entries.size() == 1);
}
