// Bytes that come by digest, by an origin's tag, or under an upload's name: each kind has partial files of its own,
// which resume and which gc leaves alone while they are filled.
#include "tests/support/doctest.hpp"

#include <filesystem>
#include <set>

#include "tests/support/chunk_content.hpp"
#include "tests/support/temp_store.hpp"

using namespace zcdp;
using namespace zcdp::store;
using zcdp::test::ChunkContent;
using zcdp::test::TempStore;

namespace {

const TagScope kScope{"http://origin", "bucket", "me"};

std::set<std::string> partials(const TempStore& temp) {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(temp.root() + "/partial"))
        if (const std::string name = entry.path().filename(); name.starts_with("p-") && !name.ends_with(".map"))
            names.insert(name);
    return names;
}

std::unique_ptr<PartialFile> open(Incoming& incoming, const PartialKey& key, uint64_t size) {
    auto file = incoming.open_partial(key, size);
    if (!file) FAIL(file.error().line());
    return std::move(*file);
}

}  // namespace

TEST_CASE("a content comes in by any kind of key, across a restart, and needs no origin") {
    const ChunkContent content(2 * kChunkBytes + 5000);
    for (const PartialKey& key : {PartialKey(ByDigest{content.digest()}), PartialKey(ByTag{kScope, "key", Tag("tag")}),
                                  PartialKey(ByUpload{"models/new \n"})}) {
        CAPTURE(key.index());
        TempStore temp;
        {
            auto store = temp.open();
            auto incoming = store->incoming();
            REQUIRE(content.put(*open(**incoming, key, content.size_bytes()), 1));
        }
        auto store = temp.open();
        CHECK(store->room()->unfinished.at(0).object == (std::holds_alternative<ByTag>(key) ? "http://origin/bucket/key"
                                                         : std::holds_alternative<ByUpload>(key)
                                                             ? "upload models/new \n"
                                                             : content.digest().str()));
        auto incoming = store->incoming();
        auto file = open(**incoming, key, content.size_bytes());
        CHECK(file->chunks_present() == 1);
        CHECK(file->has(1));
        CHECK(store->room()->unfinished.at(0).running);
        CHECK(*store->gc(-10) == 0);
        for (const uint64_t chunk : {2, 0}) REQUIRE(content.put(*file, chunk));
        const auto digest = file->finish();
        REQUIRE(digest);
        REQUIRE((*incoming)->stage_partial(std::move(file), {*digest, content.size_bytes(), false}));
        REQUIRE((*incoming)->commit());
        CHECK(store->has_blob({content.digest(), content.size_bytes(), false}));
        CHECK_FALSE(*store->any_tags(kScope));
        CHECK(partials(temp).empty());
    }
}

TEST_CASE("keys of different kinds, names and sizes never share a partial file") {
    const ChunkContent content(kChunkBytes + 1);
    TempStore temp;
    auto store = temp.open();
    auto incoming = store->incoming();
    const std::string digest = content.digest().str();
    const std::vector<PartialKey> keys{ByDigest{content.digest()},           ByUpload{digest},
                                       ByUpload{"digest " + digest},         ByTag{{"", "", ""}, digest, Tag("")},
                                       ByTag{{"", "", ""}, "", Tag(digest)}, ByTag{kScope, "key", Tag("tag")}};
    std::vector<std::unique_ptr<PartialFile>> files;
    for (const PartialKey& key : keys) {
        files.push_back(open(**incoming, key, content.size_bytes()));
        CHECK(files.back()->chunks_present() == 0);
        REQUIRE(content.put(*files.back(), 0));
    }
    files.push_back(open(**incoming, ByUpload{digest}, content.size_bytes() + 1));
    CHECK(files.back()->chunks_present() == 0);
    CHECK(partials(temp).size() == files.size());
    for (const PartialKey& key : keys) {
        CHECK(store->hold_partial(*store->hold(), key, content.size_bytes()) > 0);
        CHECK(open(**incoming, key, content.size_bytes())->chunks_present() == 1);
    }
}

TEST_CASE("a content that was asked for by its digest is that one or none") {
    TempStore temp;
    auto store = temp.open();
    auto incoming = store->incoming();
    const ChunkContent wanted(kChunkBytes + 1), other(kChunkBytes + 1, 2);
    auto file = open(**incoming, ByDigest{wanted.digest()}, wanted.size_bytes());
    for (const uint64_t chunk : {0, 1}) REQUIRE(other.put(*file, chunk));
    const auto digest = file->finish();
    REQUIRE_FALSE(digest);
    CHECK(digest.error().kind() == ErrorKind::corrupt);
    CHECK_FALSE(file->source()->digest());
    REQUIRE(file->discard());
    file = open(**incoming, ByDigest{wanted.digest()}, wanted.size_bytes());
    for (const uint64_t chunk : {0, 1}) REQUIRE(wanted.put(*file, chunk));
    CHECK(*file->finish() == wanted.digest());
    CHECK((*incoming)->open_partial(ByDigest{wanted.digest()}, 5).error().kind() == ErrorKind::refused);
    CHECK((*incoming)->open_partial(ByDigest{TempStore::ref("x").digest}, 2 * kChunkBytes).error().kind() ==
          ErrorKind::refused);
}

TEST_CASE("an upload's partial file stays while its hold is there, and goes with gc afterwards") {
    TempStore temp;
    auto store = temp.open();
    const ChunkContent content(2 << 20);
    auto hold = store->hold();
    {
        auto incoming = store->incoming(hold);
        REQUIRE(content.put(*open(**incoming, ByUpload{"u"}, content.size_bytes()), 0));
    }
    CHECK(*store->gc(-10) == 0);
    CHECK(store->hold_partial(*hold, ByUpload{"u"}, content.size_bytes()) == content.size_bytes());
    hold.reset();
    CHECK(*store->gc(-10) >= content.size_bytes());
    CHECK(partials(temp).empty());
}
