// DEST/.zcdp/state cut off and damaged at every byte: what is read is a true beginning of what was written.
#include <fcntl.h>

#include "src/sync/place/dest_state.hpp"
#include "tests/support/doctest.hpp"
#include "tests/support/temp_folder.hpp"

using namespace zcdp;
using namespace zcdp::sync;
using zcdp::test::TempFolder;

namespace {

std::vector<DestRecord> records() {
    std::vector<DestRecord> all(3);
    all[0].entry.path = "a", all[0].entry.size_bytes = 5,
    all[0].entry.digest = {DigestKind::sha256, Sha256::of(std::string_view("hello"))};
    all[0].tag = Tag("tag \"quoted\""), all[0].mtime_ns = 1'700'000'000'123'456'789, all[0].inode = 42;
    all[1].entry.path = "link", all[1].entry.kind = store::FileKind::symlink, all[1].entry.symlink_target = "a";
    all[2].entry.path = "long", all[2].entry.size_bytes = kChunkBytes + 1, all[2].extra = true,
    all[2].entry.executable = true;
    all[2].entry.chunks = {Sha256::of(std::string_view("1")), Sha256::of(std::string_view("2"))};
    all[2].entry.digest = digest_of_chunks(all[2].entry.chunks);
    return all;
}

bool same(const DestRecord& a, const DestRecord& b) {
    return a.entry.path == b.entry.path && a.entry.kind == b.entry.kind && a.entry.executable == b.entry.executable &&
           a.entry.size_bytes == b.entry.size_bytes && a.entry.digest == b.entry.digest &&
           a.entry.chunks == b.entry.chunks && a.entry.symlink_target == b.entry.symlink_target && a.tag == b.tag &&
           a.mtime_ns == b.mtime_ns && a.inode == b.inode && a.extra == b.extra;
}

/// How many records are read, each the one that was written.
size_t read_back(const std::string& path) {
    auto file = system_fs().open(AT_FDCWD, path.c_str(), O_RDONLY);
    REQUIRE(file);
    DestRecordReader reader(system_fs(), std::move(*file));
    const auto want = records();
    size_t count = 0;
    for (DestRecord record; reader.next(record); ++count) {
        REQUIRE(count < want.size());
        REQUIRE(same(record, want[count]));
        record = {};
    }
    return count;
}

void put(const std::string& path, std::string_view content) {
    auto file = system_fs().open(AT_FDCWD, path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    REQUIRE(file);
    REQUIRE(system_fs().write(file->get(), std::as_bytes(std::span(content.data(), content.size())), 0));
}

}  // namespace

TEST_CASE("the state of a DEST ends quietly where it is cut off or damaged, and never lies") {
    TempFolder folder;
    const std::string path = folder.path() + "/state";
    {
        auto file = system_fs().open(AT_FDCWD, path.c_str(), O_RDWR | O_CREAT, 0644);
        REQUIRE(file);
        DestStateWriter writer(system_fs(), std::move(*file), "state");
        for (const DestRecord& record : records()) REQUIRE(writer.add(record));
        REQUIRE(writer.flush(true));
    }
    CHECK(read_back(path) == 3);
    const auto whole = read_file(system_fs(), AT_FDCWD, path.c_str(), 1 << 20);
    REQUIRE(whole);
    size_t before = 0;
    for (size_t length = 0; length <= whole->size(); ++length) {
        put(path, std::string_view(*whole).substr(0, length));
        const size_t count = read_back(path);
        REQUIRE(count >= before);
        REQUIRE((count == 3) == (length == whole->size()));
        before = count;
    }
    for (size_t at = 0; at < whole->size(); ++at) {
        std::string changed = *whole;
        changed[at] = static_cast<char>(changed[at] ^ 0x10);
        put(path, changed);
        REQUIRE(read_back(path) < 3);
    }
}
