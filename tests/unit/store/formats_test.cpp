// The formats of docs/formats.md: its vectors, and each file cut off at every byte and damaged at every byte.
#include <fcntl.h>
#include <zstd.h>

#include <filesystem>
#include <fstream>

#include "tests/support/temp_store.hpp"
#include "zcdp/base/sqlite.hpp"
#include "zcdp/store/lock_holder.hpp"

using namespace zcdp;
using namespace zcdp::store;
using zcdp::test::TempFolder;
using zcdp::test::TempStore;

namespace {

/// The manifest of docs/formats.md's vector, byte for byte as the text there says.
std::string vector_manifest() {
    const auto digest = [](std::string_view content) {
        const Sha256Bytes bytes = Sha256::of(content);
        return std::string(bytes.begin(), bytes.end());
    };
    const auto u64 = [](char value) { return std::string(1, value) + std::string(7, '\0'); };
    return "zcdp manifest 1\n" + std::string("\0\5a.txt\6", 8) + digest("hello\n") + "\4\7bin/run\n" +
           digest("#!/bin/sh\n") + "\1\6empty/" + "\2\4link\5a.txt" + "\xff" + u64(2) + u64(1) + u64(1) + u64(16);
}
constexpr const char* kVectorId = "0495ed99a075b020fdc8ba419740974e5285fa0d1334d5a0644c9231187367ca";

std::vector<ManifestEntry> vector_entries() {
    std::vector<ManifestEntry> entries(4);
    entries[0].path = "a.txt", entries[0].size_bytes = 6, entries[0].digest = TempStore::ref("hello\n").digest;
    entries[1].path = "bin/run", entries[1].executable = true, entries[1].size_bytes = 10;
    entries[1].digest = TempStore::ref("#!/bin/sh\n").digest;
    entries[2].path = "empty/", entries[2].kind = FileKind::directory;
    entries[3].path = "link", entries[3].kind = FileKind::symlink, entries[3].symlink_target = "a.txt";
    return entries;
}

std::string compressed(std::string_view text) {
    std::string out(ZSTD_compressBound(text.size()), '\0');
    out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
    return out;
}

void put(const std::string& path, std::string_view content) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
}
std::string get(const std::string& path) {
    const auto text = read_file(system_fs(), AT_FDCWD, path.c_str(), 64 << 20);
    REQUIRE(text);
    return *text;
}

/// The id of what a reader found, or its error.
Result<std::string> read_manifest(const std::string& path, uint64_t bytes_most = UINT64_MAX) {
    const auto file = system_fs().open(AT_FDCWD, path.c_str(), O_RDONLY);
    REQUIRE(file);
    const auto reader = ManifestReader::create(system_fs(), file->get(), bytes_most);
    while (true) {
        ZCDP_TRY(const auto entry, reader->next());
        if (!entry) return reader->id().str();
    }
}

}  // namespace

TEST_CASE("digests: the vectors of docs/formats.md") {
    CHECK(Digest{DigestKind::sha256, Sha256::of(std::string_view())}.str() ==
          "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    const std::vector<std::byte> zeros(kChunkBytes);
    const std::vector<Sha256Bytes> chunks{Sha256::of(zeros), Sha256::of(std::span(zeros).first(1))};
    CHECK(digest_of_chunks(chunks).str() ==
          "sha256tree:63af2582fbcfb2d99bb9e647355c3f58d108117d10c72d35bf2441fff6f3cff8");
}

TEST_CASE("manifest: the vector of docs/formats.md, written and read") {
    TempFolder folder;
    const std::string path = folder.path() + "/m";
    const auto file = system_fs().open(AT_FDCWD, path.c_str(), O_RDWR | O_CREAT, 0644);
    REQUIRE(file);
    const auto writer = ManifestWriter::create(system_fs(), file->get());
    for (const ManifestEntry& entry : vector_entries()) REQUIRE(writer->add(entry));
    const auto id = writer->finish();
    REQUIRE(id);
    CHECK(id->str() == kVectorId);
    CHECK(*read_manifest(path) == kVectorId);
    const std::string text = vector_manifest();
    CHECK(text.size() == 151);
    CHECK(to_hex(Sha256::of(text)) == kVectorId);
    put(path, compressed(text));
    CHECK(*read_manifest(path) == kVectorId);
}

TEST_CASE("manifest: one that is longer than it may be is not read") {
    TempFolder folder;
    const std::string path = folder.path() + "/m", text = vector_manifest();
    put(path, compressed(text));
    CHECK(*read_manifest(path, text.size()) == kVectorId);
    const auto longer = read_manifest(path, text.size() - 1);
    REQUIRE_FALSE(longer);
    CHECK(longer.error().kind() == ErrorKind::corrupt);
}

TEST_CASE("manifest: cut off at every byte, and any byte after its end") {
    TempFolder folder;
    const std::string path = folder.path() + "/m", text = vector_manifest(), file = compressed(text);
    for (size_t length = 0; length < file.size(); ++length) {
        put(path, std::string_view(file).substr(0, length));
        const auto read = read_manifest(path);
        REQUIRE_FALSE(read);
        REQUIRE(read.error().kind() == ErrorKind::corrupt);
    }
    for (size_t length = 0; length < text.size(); ++length) {
        put(path, compressed(std::string_view(text).substr(0, length)));
        REQUIRE_FALSE(read_manifest(path));
    }
    put(path, file + "x");
    CHECK_FALSE(read_manifest(path));
    put(path, compressed(text + "x"));
    CHECK_FALSE(read_manifest(path));
    put(path, file + file);
    CHECK_FALSE(read_manifest(path));
}

TEST_CASE("manifest: any byte changed is an error, or gives another id") {
    TempFolder folder;
    const std::string path = folder.path() + "/m", text = vector_manifest();
    for (size_t at = 0; at < text.size(); ++at) {
        for (const int flip : {0x01, 0x80, 0xff}) {
            std::string changed = text;
            changed[at] = static_cast<char>(changed[at] ^ flip);
            put(path, compressed(changed));
            const auto read = read_manifest(path);
            if (read) REQUIRE(*read != kVectorId);
        }
    }
}

TEST_CASE("partial file: the name of docs/formats.md, and its map cut off at every byte") {
    TempStore temp;
    const TagScope scope{"http://h", "b", "me"};
    const uint64_t size = 9'000'000;
    const std::string map = temp.root() + "/partial/p-4e44838ce4fdab46a12ed4e2e6849066.map";
    auto* memory = static_cast<std::byte*>(std::aligned_alloc(4096, kChunkBytes));
    std::fill_n(memory, kChunkBytes, std::byte{7});
    {
        auto store = temp.open();
        auto incoming = store->incoming();
        auto file = (*incoming)->open_partial(ByTag{scope, "k", Tag("t")}, size);
        REQUIRE(file);
        for (const uint64_t chunk : {1, 0}) {
            const std::span<const std::byte> bytes(memory, chunk_length(size, chunk));
            REQUIRE((*file)->write(chunk * kChunkBytes, bytes));
            REQUIRE((*file)->chunk_done(chunk, Sha256::of(bytes)));
        }
    }
    std::free(memory);
    const std::string whole = get(map);
    const std::string header = "zcdp partial 2\nhttp://h/b/k\n";
    const size_t magic = header.size(), record = 48;
    REQUIRE(whole.size() == magic + 2 * record);
    REQUIRE(whole.substr(0, magic) == header);
    // The format before had no line for the object.
    put(map, "zcdp partial 1\n" + whole.substr(magic));
    {
        auto store = temp.open();
        auto incoming = store->incoming();
        REQUIRE((*(*incoming)->open_partial(ByTag{scope, "k", Tag("t")}, size))->chunks_present() == 2);
    }
    REQUIRE(get(map).substr(0, magic) == header);
    auto store = temp.open();
    auto incoming = store->incoming();
    for (size_t length = 0; length <= whole.size(); length += length + 3 < magic ? 5 : 1) {
        put(map, std::string_view(whole).substr(0, length));
        auto file = (*incoming)->open_partial(ByTag{scope, "k", Tag("t")}, size);
        REQUIRE(file);
        const bool both = length == whole.size(), one = length >= magic + record;
        // The first record is of whichever chunk the store wrote down first when it opened the file last.
        REQUIRE((*file)->chunks_present() == static_cast<uint64_t>(both) + static_cast<uint64_t>(one));
    }
    for (size_t at = magic; at < whole.size(); ++at) {
        std::string changed = whole;
        changed[at] = static_cast<char>(changed[at] ^ 1);
        put(map, changed);
        auto file = (*incoming)->open_partial(ByTag{scope, "k", Tag("t")}, size);
        REQUIRE(file);
        REQUIRE((*file)->chunks_present() == (at >= magic + record ? 1 : 0));
    }
}

TEST_CASE("partial file: the names of contents by digest and of uploads") {
    TempStore temp;
    auto store = temp.open();
    auto incoming = store->incoming();
    const auto digest = Digest::parse("sha256tree:63af2582fbcfb2d99bb9e647355c3f58d108117d10c72d35bf2441fff6f3cff8");
    REQUIRE(digest);
    REQUIRE((*incoming)->open_partial(ByDigest{*digest}, 8'388'609));
    CHECK(get(temp.root() + "/partial/p-6230beb4b0b014f50f50b7f816fe3b79.map") ==
          "zcdp partial 2\nsha256tree:63af2582fbcfb2d99bb9e647355c3f58d108117d10c72d35bf2441fff6f3cff8\n");
    REQUIRE((*incoming)->open_partial(ByUpload{"a/b"}, 9'000'000));
    CHECK(get(temp.root() + "/partial/p-5bb443ee7a70e6e2d7d63957701a6ea0.map") == "zcdp partial 2\nupload a/b\n");
}

TEST_CASE("index: one of before there were sums is read as it is, and gets them when it is written to") {
    TempStore temp;
    const TagScope scope{"http://h", "b", "me"};
    const Digest digest{DigestKind::sha256tree, Sha256::of("tree")};
    const std::vector<TagRow> rows{{"k", Tag("t"), 9'000'000, digest, "crc64nvme:01"}};
    temp.snapshot(*temp.open(), {{"f", "x"}});
    {
        auto before = sqlite::Database::open(temp.root() + "/index.db", true);
        REQUIRE(before);
        REQUIRE(before->execute("DROP TABLE sums"));
    }
    {
        auto options = temp.options();
        options.mode = StoreMode::read;
        auto store = temp.try_open(options);
        REQUIRE(store);
        CHECK((*store)->list()->size() == 1);
        CHECK((*store)->sums_like(scope, "crc64nvme:01", 9'000'000, true)->empty());
        CHECK_FALSE(*(*store)->any_sums(scope, 9'000'000));
    }
    auto store = temp.open();
    REQUIRE((*store->incoming())->commit(scope, rows));
    CHECK(*store->any_sums(scope, 9'000'000));
    CHECK(store->sums_like(scope, "crc64nvme:01", 9'000'000, false)->size() == 1);
}

TEST_CASE("meta: cut off at every byte, the snapshot is there all the same") {
    TempStore temp;
    SnapshotId id;
    {
        auto store = temp.open();
        id = temp.snapshot(*store, {{"f", "x"}}, "s3://a/").id;
    }
    const std::string meta = temp.root() + "/snapshots/" + id.str() + "/meta", whole = get(meta);
    for (size_t length = 0; length < whole.size(); ++length) {
        put(meta, std::string_view(whole).substr(0, length));
        for (const char* file : {"index.db", "index.db-wal", "index.db-shm"})
            std::filesystem::remove(temp.root() + "/" + file);
        auto store = temp.open();
        const auto found = store->find(id.str());
        REQUIRE(found);
        REQUIRE(found->state == SnapshotState::ready);
    }
}

TEST_CASE("lock: the holder's socket is a field of its own; a lock from before it is read, and reads this one") {
    const LockHolder agent{"zcdp agent, pid 7, socket /run/zcdp/agent.sock", "/run/zcdp/agent.sock"};
    const std::string text = lock_text(agent);
    CHECK(text == "socket=/run/zcdp/agent.sock\nzcdp agent, pid 7, socket /run/zcdp/agent.sock");
    CHECK(parse_lock(text).socket == agent.socket);
    CHECK(parse_lock(text).name == agent.name);
    CHECK(text.substr(text.find(", socket ") + 9) == agent.socket);  // how an older zcdp finds it
    CHECK(parse_lock(agent.name).socket == agent.socket);            // what an older zcdp writes
    CHECK(parse_lock(agent.name).name == agent.name);
    CHECK(lock_text({"zcdp sync, pid 7", ""}) == "zcdp sync, pid 7");
    for (const char* none : {"zcdp sync, pid 7", "", "socket=", "socket=/half/written"}) {
        CHECK(parse_lock(none).socket.empty());
        CHECK(parse_lock(none).name == none);
    }
}

TEST_CASE("lock: a store says where its owner takes orders, and nothing after a clean end") {
    TempStore temp;
    const std::string lock = temp.root() + "/lock";
    {
        StoreOptions options = temp.options();
        options.holder = "zcdp agent, pid 7, socket /a b", options.socket = "/a b";
        const auto store = temp.try_open(options);
        REQUIRE(store);
        CHECK(get(lock) == "socket=/a b\nzcdp agent, pid 7, socket /a b");
        options.lock_timeout_ms = 0;
        const auto second = temp.try_open(options);
        REQUIRE(!second);
        CHECK(second.error().what() == "is in use by zcdp agent, pid 7, socket /a b");
    }
    CHECK(get(lock).empty());
}
