// Digests of many files at once, of files that change meanwhile, and the manifest that comes of them.
#include "src/datastore/client/put_hash.hpp"

#include "tests/support/put_bench.hpp"

namespace zcdp::datastore {
namespace {

struct Bench : test::PutBench {
    PutEntry entry_of(const std::string& name) {
        const auto prepared = prepare(source());
        REQUIRE(prepared);
        for (const PutEntry& one : entries(prepared->list))
            if (one.entry.path == name) return one;
        FAIL("there is no ", name);
        return {};
    }
};

std::vector<Sha256Bytes> chunks_of(std::string_view content) {
    std::vector<Sha256Bytes> chunks;
    for (uint64_t i = 0; i < chunk_count(content.size()); ++i)
        chunks.push_back(Sha256::of(content.substr(i * kChunkBytes, kChunkBytes)));
    return chunks;
}

}  // namespace

TEST_CASE_FIXTURE(Bench, "every size has its digest, whatever is hashed beside it") {
    const size_t sizes[] = {0,
                            1,
                            63,
                            64,
                            65,
                            4096,
                            (256 << 10) - 1,
                            256 << 10,
                            (256 << 10) + 1,
                            (8 << 20) - 1,
                            8 << 20,
                            (8 << 20) + 1,
                            (24 << 20) + 77};
    std::map<std::string, std::string> contents;
    for (size_t i = 0; i < std::size(sizes); ++i) {
        const std::string name = "f" + std::to_string(i);
        write(name, contents[name] = test::many_bytes(sizes[i], static_cast<unsigned>(i)));
    }
    for (int i = 0; i < 100; ++i) write("small" + std::to_string(i), contents["small" + std::to_string(i)] = "x");
    const auto prepared = prepare(source());
    REQUIRE(prepared);
    const auto all = entries(prepared->list);
    CHECK(all.size() == contents.size());
    for (const PutEntry& one : all) {
        CAPTURE(one.entry.path);
        const auto chunks = chunks_of(contents[one.entry.path]);
        CHECK(one.hashed);
        CHECK(one.settled);
        CHECK(one.entry.digest == digest_of_chunks(chunks));
        CHECK(one.entry.chunks == (chunks.size() > 1 ? chunks : std::vector<Sha256Bytes>()));
    }
}

TEST_CASE_FIXTURE(Bench, "the manifest is that of docs/formats.md") {
    write("a.txt", "hello\n");
    write("bin/run", "#!/bin/sh\n");
    REQUIRE(::chmod(path("tree/bin/run").c_str(), 0755) == 0);
    std::filesystem::create_directory(path("tree/empty"));
    std::filesystem::create_symlink("a.txt", path("tree/link"));
    const auto prepared = prepare(source());
    REQUIRE(prepared);
    CHECK(prepared->snapshot.str() == "0495ed99a075b020fdc8ba419740974e5285fa0d1334d5a0644c9231187367ca");
    CHECK(prepared->totals.files == 2);
    CHECK(prepared->totals.bytes == 16);
    CHECK(prepared->manifest_bytes > 0);
}

TEST_CASE_FIXTURE(Bench, "a file is called by its key's last component, whatever its own name is") {
    write("whatever", "hello\n");
    const auto prepared = prepare(source("tree/whatever"), "some/key.txt");
    REQUIRE(prepared);
    const auto reader = store::ManifestReader::create(fs, prepared->manifest->get());
    const auto entry = reader->next();
    REQUIRE(entry);
    CHECK((**entry).path == "key.txt");
    CHECK_FALSE(reader->next()->has_value());
    CHECK(prepare(source("tree/whatever"), "other/key.txt")->snapshot == prepared->snapshot);
}

TEST_CASE_FIXTURE(Bench, "a file that changes once while it is hashed is hashed as it is then") {
    write("a", "before");
    write("b", test::many_bytes((16 << 20) + 1));
    std::once_flag once;
    fs.before_read = [&](uint64_t) {
        std::call_once(once, [&] {
            write("a", "after it changed");
            write("b", std::string(9 << 20, 'b'));
        });
    };
    const PutEntry a = entry_of("a"), b = entry_of("b");
    CHECK(a.entry.digest.bytes == Sha256::of("after it changed"));
    CHECK(a.entry.size_bytes == 16);
    CHECK(b.entry.digest == digest_of_chunks(chunks_of(std::string(9 << 20, 'b'))));
}

TEST_CASE_FIXTURE(Bench, "a file that changes all the time is an error that names it") {
    write("calm", "x");
    write("log", "x");
    std::mutex mutex;
    fs.before_read = [&](uint64_t) {
        const std::lock_guard lock(mutex);
        std::ofstream(path("tree/log"), std::ios::app) << "more";
    };
    const auto prepared = prepare(source());
    REQUIRE_FALSE(prepared);
    CHECK(prepared.error().kind() == ErrorKind::source_changed);
    CHECK(prepared.error().object() == path("tree/log"));
}

TEST_CASE_FIXTURE(Bench, "a file that goes, or becomes something else, after it was listed is an error that names it") {
    for (const bool replaced : {false, true}) {
        write("a", "x");
        const PutSource tree = source();
        auto cache = DigestCache::none(machine);
        auto listed = list(tree, cache);
        REQUIRE(listed);
        std::filesystem::remove(path("tree/a"));
        if (replaced) std::filesystem::create_symlink("/etc/passwd", path("tree/a"));
        FileHasher hasher(tree, machine, 1, 0, progress, {});
        const auto prepared =
            datastore::prepare(tree, std::move(*listed), "k", hasher, folder.path(), machine, progress);
        REQUIRE_FALSE(prepared);
        CHECK(prepared.error().kind() == ErrorKind::source_changed);
        CHECK(prepared.error().object() == path("tree/a"));
        std::filesystem::remove(path("tree/a"));
    }
}

TEST_CASE_FIXTURE(Bench, "hashing ends soon when it is stopped") {
    write("a", test::many_bytes(1 << 20));
    const PutSource tree = source();
    auto cache = DigestCache::none(machine);
    auto listed = list(tree, cache);
    REQUIRE(listed);
    std::stop_source stop;
    fs.before_read = [&](uint64_t) { stop.request_stop(); };
    FileHasher hasher(tree, machine, 1, 0, progress, stop.get_token());
    const auto prepared = datastore::prepare(tree, std::move(*listed), "k", hasher, folder.path(), machine, progress);
    REQUIRE_FALSE(prepared);
    CHECK(prepared.error().kind() == ErrorKind::interrupted);
}

}  // namespace zcdp::datastore
