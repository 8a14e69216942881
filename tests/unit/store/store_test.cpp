// The store from outside: what goes in comes out, survives reopening, and makes room by its rules.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "tests/support/doctest.hpp"

#include <algorithm>

#include "tests/support/temp_store.hpp"
#include "zcdp/base/random.hpp"

using namespace zcdp;
using namespace zcdp::store;
using zcdp::test::TempStore;

namespace {

const TagScope kScope{"http://origin", "bucket", "me"};

std::string slurp(const std::string& path) {
    auto text = read_file(system_fs(), AT_FDCWD, path.c_str(), 64 << 20);
    return text ? *text : "<" + text.error().message() + ">";
}

}  // namespace

TEST_CASE("a snapshot holds its files, folders and symlinks, read-only, with one link a file more in the CAS") {
    TempStore temp;
    auto store = temp.open();
    const auto info = temp.snapshot(*store, {{"a.txt", "hello"}, {"dir/b.bin", "world"}, {"dir/same", "hello"}});
    CHECK(info.files == 3);
    CHECK(info.bytes == 15);
    CHECK(slurp(info.tree_path + "/a.txt") == "hello");
    CHECK(slurp(info.tree_path + "/dir/b.bin") == "world");
    struct stat one, other;
    REQUIRE(::stat((info.tree_path + "/a.txt").c_str(), &one) == 0);
    REQUIRE(::stat((info.tree_path + "/dir/same").c_str(), &other) == 0);
    CHECK(one.st_ino == other.st_ino);
    CHECK(one.st_nlink == 3);
    CHECK((one.st_mode & 0777) == 0444);
}

TEST_CASE("equal content has an equal id, whatever the order of staging") {
    TempStore one, other;
    const auto a = one.snapshot(*one.open(), {{"x", "1"}, {"y", "2"}});
    const auto b = other.snapshot(*other.open(), {{"y", "2"}, {"x", "1"}});
    CHECK(a.id == b.id);
    const auto c = one.snapshot(*one.open(), {{"x", "1"}, {"y", "3"}});
    CHECK(c.id != a.id);
}

TEST_CASE("what was committed is there after reopening; what was only staged is swept") {
    TempStore temp;
    std::string id;
    {
        auto store = temp.open();
        id = temp.snapshot(*store, {{"kept", "kept"}}).id.str();
        auto incoming = store->incoming();
        REQUIRE(incoming);
        REQUIRE((*incoming)->stage(temp.ref("lost"), temp.bytes("lost")));
        CHECK((*incoming)->staged_files() == 1);
    }
    auto store = temp.open();
    const auto found = store->find(id);
    REQUIRE(found);
    CHECK(slurp(found->tree_path + "/kept") == "kept");
    CHECK(store->has_blob(temp.ref("kept")));
    CHECK_FALSE(store->has_blob(temp.ref("lost")));
    CHECK(store->usage()->partial_bytes == 0);
}

TEST_CASE("tags come back in key order, by prefix and from a key on") {
    TempStore temp;
    auto store = temp.open();
    std::vector<TagRow> rows;
    for (const char* key : {"p/b", "p/a", "q/z", "p/a-x", "p/a/b"})
        rows.push_back({key, Tag("tag"), 1, temp.ref("1").digest});
    REQUIRE(store->put_tags(kScope, rows));
    std::vector<std::string> seen;
    REQUIRE(store->for_each_tag(kScope, "p/", "p/a-", [&](const TagRow& row) {
        seen.push_back(row.key);
        return true;
    }));
    CHECK(seen == std::vector<std::string>{"p/a-x", "p/a/b", "p/b"});
    CHECK(*store->any_tags(kScope));
    CHECK_FALSE(*store->any_tags({"http://origin", "other", "me"}));
    CHECK(store->tags_like({"http://origin", "bucket", "somebody else"}, Tag("tag"), 1)->size() == 5);
    CHECK(store->tags_like(kScope, Tag("tag"), 2)->empty());
}

TEST_CASE("a listing's revision finds the snapshot until that is evicted") {
    TempStore temp;
    auto store = temp.open();
    const auto info = temp.snapshot(*store, {{"f", "x"}});
    REQUIRE(store->put_revision(kScope, "p/", "", Revision("abcd"), info.id));
    CHECK((*store->find_revision(kScope, "p/", "", Revision("abcd")))->id == info.id);
    CHECK_FALSE(store->find_revision(kScope, "p/", "+*.x\n", Revision("abcd"))->has_value());
    REQUIRE(store->evict(info.id));
    CHECK_FALSE(store->find_revision(kScope, "p/", "", Revision("abcd"))->has_value());
}

TEST_CASE("evicting keeps what another snapshot needs, and only that") {
    TempStore temp;
    auto store = temp.open();
    const auto a = temp.snapshot(*store, {{"shared", "shared"}, {"only-a", "only a"}});
    const auto b = temp.snapshot(*store, {{"shared", "shared"}, {"only-b", "only b"}});
    REQUIRE(store->evict(a.id));
    CHECK(store->has_blob(temp.ref("shared")));
    CHECK_FALSE(store->has_blob(temp.ref("only a")));
    CHECK(slurp(b.tree_path + "/shared") == "shared");
    CHECK(store->find(a.id.str()).error().kind() == ErrorKind::not_found);
}

TEST_CASE("a pinned or leased snapshot is not evicted; a dead process's lease does not count") {
    TempStore temp;
    auto store = temp.open();
    const auto info = temp.snapshot(*store, {{"f", "x"}});
    REQUIRE(store->pin(info.id, true));
    CHECK(store->evict(info.id).error().kind() == ErrorKind::busy);
    REQUIRE(store->pin(info.id, false));
    const auto lease = store->lease(info.id, "test", ::getpid());
    REQUIRE(lease);
    CHECK(store->evict(info.id).error().kind() == ErrorKind::busy);
    CHECK(store->find(info.id.str())->leases == 1);
    REQUIRE(store->release(*lease));
    REQUIRE(store->lease(info.id, "gone", 999'999'999));
    CHECK(store->evict(info.id));
}

TEST_CASE("pins and names outlive a lost index") {
    TempStore temp;
    SnapshotId id;
    {
        auto store = temp.open();
        id = temp.snapshot(*store, {{"f", "x"}, {"g/h", "y"}}, "s3://models/\xc3\xa9t\xc3\xa9 \n/").id;
        REQUIRE(store->pin(id, true));
    }
    for (const char* file : {"index.db", "index.db-wal", "index.db-shm"}) ::unlink((temp.root() + "/" + file).c_str());
    auto store = temp.open();
    CHECK_FALSE(store->recovery_notes().empty());
    const auto found = store->find(id.str());
    REQUIRE(found);
    CHECK(found->pinned);
    CHECK(found->name == "s3://models/\xc3\xa9t\xc3\xa9 \n/");
    CHECK(found->files == 2);
    CHECK(store->has_blob(temp.ref("x")));
}

TEST_CASE("a damaged index is put aside and made again") {
    TempStore temp;
    SnapshotId id;
    {
        auto store = temp.open();
        id = temp.snapshot(*store, {{"f", "x"}}).id;
    }
    const int fd = ::open((temp.root() + "/index.db").c_str(), O_WRONLY | O_TRUNC);
    REQUIRE(::write(fd, "this is no database, whatever it was", 36) == 36);
    ::close(fd);
    auto store = temp.open();
    CHECK(store->find(id.str()));
    CHECK(store->usage()->quarantined == 1);
}

TEST_CASE("verify finds a flipped bit, names the file, and the next sync's content takes its place") {
    TempStore temp;
    auto store = temp.open();
    const auto info = temp.snapshot(*store, {{"good", "good"}, {"bad", "bad content"}});
    REQUIRE(store->verify(std::nullopt, {})->problems.empty());
    const std::string victim = info.tree_path + "/bad";
    ::chmod(victim.c_str(), 0644);
    const int fd = ::open(victim.c_str(), O_WRONLY);
    REQUIRE(::pwrite(fd, "B", 1, 0) == 1);
    ::close(fd);
    const auto report = store->verify(info.id, {});
    REQUIRE(report);
    CHECK_FALSE(report->problems.empty());
    CHECK(report->problems[0].find("bad") == 0);
    CHECK(store->find(info.id.str())->state == SnapshotState::corrupt);
    CHECK_FALSE(store->has_blob(temp.ref("bad content")));
    CHECK(store->has_blob(temp.ref("good")));
    const auto again = temp.snapshot(*store, {{"good", "good"}, {"bad", "bad content"}});
    CHECK(again.id == info.id);
    CHECK(slurp(again.tree_path + "/bad") == "bad content");
    CHECK(store->find(info.id.str())->state == SnapshotState::ready);
}

TEST_CASE("verify reads many chunks at once, and finds a flipped bit in any of them") {
    TempStore temp(system_fs(), /*in_memory=*/true);
    auto store = temp.open();
    constexpr uint64_t kChunks = 18, kSize = (kChunks - 1) * kChunkBytes + 5'000'001;
    std::string content(kSize, 'x');
    for (uint64_t chunk = 0; chunk < kChunks; ++chunk) content[chunk * kChunkBytes] = static_cast<char>('A' + chunk);
    const auto chunk_of = [&](uint64_t chunk) {
        return std::string_view(content).substr(chunk * kChunkBytes, kChunkBytes);
    };
    auto incoming = store->incoming();
    auto file = (*incoming)->open_partial(ByTag{kScope, "big", Tag("tag")}, kSize);
    // O_DIRECT needs an aligned buffer.
    const std::unique_ptr<std::byte, decltype(&std::free)> aligned(
        static_cast<std::byte*>(std::aligned_alloc(4096, kChunkBytes)), &std::free);
    std::vector<Sha256Bytes> chunks;
    for (uint64_t chunk = 0; chunk < kChunks; ++chunk) {
        chunks.push_back(Sha256::of(chunk_of(chunk)));
        std::memcpy(aligned.get(), chunk_of(chunk).data(), chunk_of(chunk).size());
        REQUIRE((*file)->write(chunk * kChunkBytes, {aligned.get(), chunk_of(chunk).size()}));
        REQUIRE((*file)->chunk_done(chunk, chunks.back()));
    }
    const BlobRef blob{digest_of_chunks(chunks), kSize, false};
    REQUIRE((*file)->finish());
    REQUIRE((*incoming)->stage_partial(std::move(*file), blob));
    REQUIRE((*incoming)->commit(kScope, {}));
    auto builder = store->build_snapshot();
    ManifestEntry entry;
    entry.path = "big", entry.size_bytes = kSize, entry.digest = blob.digest;
    REQUIRE((*builder)->add(entry));
    const auto info = (*builder)->commit("big", {});
    REQUIRE(info);
    uint64_t read = 0;
    CHECK(store->verify(info->id, [&](uint64_t bytes) { read += bytes; })->problems.empty());
    CHECK(read == kSize);
    ::chmod((info->tree_path + "/big").c_str(), 0644);
    const Fd victim(::open((info->tree_path + "/big").c_str(), O_WRONLY));
    for (uint64_t chunk = 0; chunk < kChunks; ++chunk) {
        const uint64_t at = std::min((chunk + 1) * kChunkBytes, kSize) - 1 - chunk;
        content[at] = '!';
        auto wrong = chunks;
        wrong[chunk] = Sha256::of(chunk_of(chunk));
        REQUIRE(::pwrite(victim.get(), "!", 1, static_cast<off_t>(at)) == 1);
        const auto report = store->verify(info->id, {});
        REQUIRE_FALSE(report->problems.empty());
        CHECK(report->problems[0] == "big: has " + digest_of_chunks(wrong).str() + ", not " + blob.digest.str());
        content[at] = 'x';
        REQUIRE(::pwrite(victim.get(), "x", 1, static_cast<off_t>(at)) == 1);
    }
    CHECK(store->verify(info->id, {})->problems.empty());
}

TEST_CASE("a second writer waits for the lock, and is told who holds it") {
    TempStore temp;
    auto store = temp.open();
    auto options = temp.options();
    options.lock_timeout_ms = 120;
    const auto second = temp.try_open(options);
    REQUIRE_FALSE(second);
    CHECK(second.error().kind() == ErrorKind::busy);
    CHECK(second.error().what().find("test holder") != std::string::npos);
    options.mode = StoreMode::read;
    CHECK(temp.try_open(options));
}

TEST_CASE("a store of another version and a folder of something else are refused") {
    TempStore temp;
    { auto store = temp.open(); }
    REQUIRE(replace_file(system_fs(), AT_FDCWD, temp.root() + "/format", "zcdp store 2\n", 0644));
    CHECK(temp.try_open(temp.options()).error().kind() == ErrorKind::refused);
    TempStore other;
    REQUIRE(replace_file(system_fs(), AT_FDCWD, other.root() + "/my-thesis.txt", "precious", 0644));
    CHECK(other.try_open(other.options()).error().kind() == ErrorKind::refused);
}

TEST_CASE("gc removes what no snapshot needs, after its grace") {
    TempStore temp;
    auto store = temp.open();
    temp.snapshot(*store, {{"f", "kept"}});
    auto incoming = store->incoming();
    REQUIRE((*incoming)->stage(temp.ref("loose"), temp.bytes("loose")));
    REQUIRE((*incoming)->commit(kScope, {}));
    CHECK(store->has_blob(temp.ref("loose")));
    CHECK(*store->gc(3600) == 0);
    CHECK(*store->gc(-10) == 0);  // the sync that brought it is not over
    incoming->reset();
    CHECK(*store->gc(3600) == 0);
    CHECK(*store->gc(-10) == 5);
    CHECK_FALSE(store->has_blob(temp.ref("loose")));
    CHECK(store->has_blob(temp.ref("kept")));
}

TEST_CASE("a partial file resumes at its chunks, and believes none whose bytes are not its own") {
    TempStore temp;
    const uint64_t size = 2 * kChunkBytes + 12345;
    std::vector<std::byte> content((size / 4096 + 1) * 4096);
    SeededRandom(7).fill(content);
    const auto digest_of = [&](uint64_t chunk) {
        return Sha256::of(std::span(content).subspan(chunk * kChunkBytes, chunk_length(size, chunk)));
    };
    // O_DIRECT needs an aligned buffer.
    auto* aligned = static_cast<std::byte*>(std::aligned_alloc(4096, kChunkBytes));
    const auto fill = [&](PartialFile& file, uint64_t chunk) {
        const uint64_t length = chunk_length(size, chunk);
        std::copy_n(content.begin() + static_cast<ptrdiff_t>(chunk * kChunkBytes), length, aligned);
        for (uint64_t at = 0; at < length; at += 1 << 20)
            REQUIRE(file.write(chunk * kChunkBytes + at, {aligned + at, std::min<uint64_t>(1 << 20, length - at)}));
        REQUIRE(file.chunk_done(chunk, digest_of(chunk)));
    };
    std::string data_path;
    {
        auto store = temp.open();
        auto incoming = store->incoming();
        auto file = (*incoming)->open_partial(ByTag{kScope, "big", Tag("tag")}, size);
        REQUIRE(file);
        fill(**file, 2);
        fill(**file, 0);
        CHECK((*file)->chunks_present() == 2);
        CHECK((*file)->finish().error().kind() == ErrorKind::failed);
        auto files = system_fs().list(Fd(::open((temp.root() + "/partial").c_str(), O_RDONLY)).get());
        for (const auto& entry : *files)
            if (!entry.name.ends_with(".map")) data_path = temp.root() + "/partial/" + entry.name;
    }
    const int fd = ::open(data_path.c_str(), O_WRONLY);
    REQUIRE(::pwrite(fd, "X", 1, 100) == 1);  // in chunk 0
    ::close(fd);
    auto store = temp.open();
    auto incoming = store->incoming();
    auto file = (*incoming)->open_partial(ByTag{kScope, "big", Tag("tag")}, size);
    REQUIRE(file);
    CHECK_FALSE((*file)->has(0));
    CHECK_FALSE((*file)->has(1));
    CHECK((*file)->has(2));
    fill(**file, 0);
    fill(**file, 1);
    std::free(aligned);
    const auto digest = (*file)->finish();
    REQUIRE(digest);
    const std::vector<Sha256Bytes> chunks{digest_of(0), digest_of(1), digest_of(2)};
    CHECK(*digest == digest_of_chunks(chunks));
    const BlobRef blob{*digest, size, true};
    REQUIRE((*incoming)->stage_partial(std::move(*file), blob));
    REQUIRE((*incoming)->commit(kScope, std::vector<TagRow>{{"big", Tag("tag"), size, *digest}}));
    auto builder = store->build_snapshot();
    ManifestEntry entry;
    entry.path = "big", entry.executable = true, entry.size_bytes = size, entry.digest = *digest;
    REQUIRE((*builder)->add(entry));
    const auto info = (*builder)->commit("big", {});
    REQUIRE(info);
    const std::string back = slurp(info->tree_path + "/big");
    REQUIRE(back.size() == size);
    CHECK(std::equal(back.begin(), back.end(), reinterpret_cast<const char*>(content.data())));
    struct stat st;
    REQUIRE(::stat((info->tree_path + "/big").c_str(), &st) == 0);
    CHECK((st.st_mode & 0777) == 0555);
    CHECK(store->verify(info->id, {})->problems.empty());
    // An empty file, too, is a blob; another tag of the same key starts anew.
    auto other = (*incoming)->open_partial(ByTag{kScope, "big", Tag("tag2")}, size);
    CHECK((*other)->chunks_present() == 0);
    REQUIRE((*other)->discard());
}

TEST_CASE("one content as a plain and as an executable file has an inode each") {
    TempStore temp;
    auto store = temp.open();
    auto incoming = store->incoming();
    REQUIRE((*incoming)->stage(temp.ref("#!/bin/sh\n"), temp.bytes("#!/bin/sh\n")));
    REQUIRE((*incoming)->commit(kScope, {}));
    auto builder = store->build_snapshot();
    ManifestEntry entry;
    entry.digest = temp.ref("#!/bin/sh\n").digest, entry.size_bytes = 10;
    entry.path = "plain";
    REQUIRE((*builder)->add(entry));
    entry.path = "run", entry.executable = true;
    REQUIRE((*builder)->add(entry));
    const auto info = (*builder)->commit("twins", {});
    REQUIRE(info);
    struct stat plain, run;
    REQUIRE(::stat((info->tree_path + "/plain").c_str(), &plain) == 0);
    REQUIRE(::stat((info->tree_path + "/run").c_str(), &run) == 0);
    CHECK(plain.st_ino != run.st_ino);
    CHECK((plain.st_mode & 0777) == 0444);
    CHECK((run.st_mode & 0777) == 0555);
}

TEST_CASE("a reservation that cannot fit says what is needed and what is there") {
    TempStore temp;
    auto store = temp.open();
    const auto refused = store->reserve(1ull << 60, 1);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind() == ErrorKind::no_space);
    CHECK(refused.error().what().find("1 EiB") != std::string::npos);
    CHECK(store->reserve(1000, 1));
}
