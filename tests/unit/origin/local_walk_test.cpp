// Listings of a directory: their order, and how often and into how much memory a folder with very many names is read.
#include "src/origin/local/walk.hpp"

#include <dirent.h>
#include <fcntl.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

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
        return ForwardingFs::scan(dir, [&](const SeenEntry& entry) { return more({entry.name, hide_types ? static_cast<unsigned char>(DT_UNKNOWN) : entry.type, entry.inode}); });
    }
    bool hide_types = false;  ///< as some file systems do
    int scans = 0;
};

struct Tree {
    void add(const std::string& path) {
        const std::filesystem::path whole = folder.path() + "/" + path;
        std::filesystem::create_directories(path.ends_with('/') ? whole : whole.parent_path());
        if (!path.ends_with('/')) std::ofstream(whole) << "x";
        if (!path.starts_with(".zcdp/")) want.push_back(path);
    }
    std::vector<std::string> listed(size_t window_bytes) {
        fs.scans = 0;
        const auto root = fs.open(AT_FDCWD, folder.path().c_str(), O_RDONLY | O_DIRECTORY, 0);
        Walk walk(fs, root->get(), folder.path(), window_bytes);
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

}  // namespace

TEST_CASE("a folder of any size is listed in order, whatever fits in memory at once") {
    Tree tree;
    for (int i = 0; i < 2500; ++i) tree.add("many/" + std::to_string(i * 7919 % 2500));
    for (const char* path : {"many.txt", "many-", "a", "empty/", "sub/empty/", "sub/x", "sub.", ".zcdp/own", "d/.zcdp/kept", "z"})
        tree.add(path);
    std::ranges::sort(tree.want);
    for (const bool hidden : {false, true}) {
        tree.fs.hide_types = hidden;
        for (const size_t window : {size_t{1}, size_t{100}, size_t{5000}, Walk::kWindowBytes}) CHECK(tree.listed(window) == tree.want);
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
