// Listings of a directory: their order, and how often and into how much memory a folder with very many names is read.
#include "src/origin/local/walk.hpp"

#include <dirent.h>
#include <fcntl.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>

#include "tests/support/doctest.hpp"
#include "tests/support/forwarding_fs.hpp"
#include "tests/support/temp_folder.hpp"

using namespace zcdp;
using namespace zcdp::origin;
using origin::local::Walk;

namespace {

struct CountingFs : test::ForwardingFs {
    CountingFs() : ForwardingFs(system_fs()) {}
    SysResult<> scan(int dir, const std::function<bool(const SeenEntry&)>& more) override {
        ++scans;
        return ForwardingFs::scan(dir, [&](const SeenEntry& entry) {
            return more({entry.name, hide_types ? static_cast<unsigned char>(DT_UNKNOWN) : entry.type, entry.inode});
        });
    }
    SysResult<struct stat> stat(int dir, const char* path) override {
        touched.push_back(path);
        return ForwardingFs::stat(dir, path);
    }
    SysResult<Fd> open(int dir, const char* path, int flags, mode_t mode) override {
        touched.push_back(path);
        if (locked.contains(path)) return boost::system::error_code(EACCES, boost::system::system_category());
        return ForwardingFs::open(dir, path, flags, mode);
    }
    std::vector<std::string> touched;
    std::set<std::string> locked;  ///< folders that cannot be opened
    bool hide_types = false;       ///< as some file systems do
    int scans = 0;
};

struct Tree {
    void add(const std::string& path) {
        const std::filesystem::path whole = folder.path() + "/" + path;
        std::filesystem::create_directories(path.ends_with('/') ? whole : whole.parent_path());
        if (!path.ends_with('/')) std::ofstream(whole) << "x";
        if (!path.starts_with(".zcdp/")) want.push_back(path);
    }
    std::vector<std::string> listed(size_t window_bytes, const Selection& selection = everything(),
                                    bool follow = false) {
        fs.scans = 0;
        const auto root = fs.open(AT_FDCWD, folder.path().c_str(), O_RDONLY | O_DIRECTORY, 0);
        fs.touched.clear();
        Walk walk(fs, root->get(), folder.path(), selection, follow, window_bytes);
        std::vector<std::string> paths;
        while (true) {
            const auto page = walk.page();
            REQUIRE(page);
            if (page->empty()) return paths;
            for (const Entry& entry : *page) paths.push_back(entry.path);
        }
    }
    test::TempFolder folder{/*in_memory=*/true};
    CountingFs fs;
    std::vector<std::string> want;
};

/// By sets of names.
struct Chosen final : Selection {
    Verdict of(std::string_view path) const override {
        return refused.contains(path) ? Verdict::refuse : left.contains(path) ? Verdict::leave : Verdict::take;
    }
    bool may_hold(std::string_view folder) const override { return !closed.contains(folder); }
    std::set<std::string, std::less<>> left, refused, closed;
};

}  // namespace

TEST_CASE("a folder of any size is listed in order, whatever fits in memory at once") {
    Tree tree;
    for (int i = 0; i < 2500; ++i) tree.add("many/" + std::to_string(i * 7919 % 2500));
    for (const char* path :
         {"many.txt", "many-", "a", "empty/", "sub/empty/", "sub/x", "sub.", ".zcdp/own", "d/.zcdp/kept", "z"})
        tree.add(path);
    std::ranges::sort(tree.want);
    for (const bool hidden : {false, true}) {
        tree.fs.hide_types = hidden;
        for (const size_t window : {size_t{1}, size_t{100}, size_t{5000}, Walk::kWindowBytes})
            CHECK(tree.listed(window) == tree.want);
    }
}

TEST_CASE("a folder that fits is read once, a larger one once for each window") {
    Tree tree;
    for (int i = 0; i < 3000; ++i) tree.add(std::to_string(1'000'000 + i));
    CHECK(tree.listed(Walk::kWindowBytes) == tree.want);
    CHECK(tree.fs.scans == 1);
    CHECK(tree.listed(15 * 1000) == tree.want);  // 7 bytes and 8 more a name
    CHECK(tree.fs.scans == 3);
}

TEST_CASE("what is not wanted is neither looked at nor opened, and what is no path is listed by its name") {
    Tree tree;
    for (const char* path :
         {"a", "bad", "closed/x", "closed/deep/y", "empty-closed/", "left-empty/", "open/left", "open/z"})
        tree.add(path);
    Chosen chosen;
    chosen.left = {"a", "closed/", "empty-closed/", "left-empty/", "open/left"};
    chosen.refused = {"bad"};
    chosen.closed = {"closed/", "empty-closed/"};
    tree.fs.locked = {"closed", "empty-closed"};
    for (const bool hidden : {false, true}) {
        tree.fs.hide_types = hidden;
        CHECK(tree.listed(Walk::kWindowBytes, chosen) == std::vector<std::string>{"bad", "open/z"});
        if (!hidden) CHECK(tree.fs.touched == std::vector<std::string>{".", "left-empty", "open", "z"});
    }
    chosen.closed.insert("");
    CHECK(tree.listed(Walk::kWindowBytes, chosen).empty());
}

TEST_CASE("a folder that cannot be opened is an error, unless nothing in it can be wanted or be a path") {
    Tree tree;
    for (const char* path : {"a", "locked/x"}) tree.add(path);
    tree.fs.locked = {"locked"};
    Chosen chosen;
    chosen.refused = {"locked/"};
    CHECK(tree.listed(Walk::kWindowBytes, chosen) == std::vector<std::string>{"a", "locked/"});
    chosen.refused = {}, chosen.left = {"locked/"}, chosen.closed = {"locked/"};
    CHECK(tree.listed(Walk::kWindowBytes, chosen) == std::vector<std::string>{"a"});
    const auto root = tree.fs.open(AT_FDCWD, tree.folder.path().c_str(), O_RDONLY | O_DIRECTORY, 0);
    Walk walk(tree.fs, root->get(), "/set", everything());
    const auto page = walk.page();
    REQUIRE_FALSE(page);
    CHECK(page.error().line().find("/set/locked/: ") == 0);
}
