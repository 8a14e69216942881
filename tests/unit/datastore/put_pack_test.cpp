// What goes into one request, and what is sent only once.
#include "src/datastore/client/put_pack.hpp"

#include "tests/support/doctest.hpp"

namespace zcdp::datastore {
namespace {

std::shared_ptr<const PutEntry> file_of(uint64_t size_bytes, uint8_t name = 1, bool executable = false) {
    PutEntry file;
    file.entry.size_bytes = size_bytes;
    file.entry.executable = executable;
    for (uint64_t i = 0; i < chunk_count(size_bytes); ++i)
        file.entry.chunks.push_back(Sha256::of(std::string(1, static_cast<char>(name + i))));
    file.entry.digest = digest_of_chunks(file.entry.chunks);
    if (file.entry.chunks.size() == 1) file.entry.chunks.clear();
    return std::make_shared<const PutEntry>(std::move(file));
}

uint64_t bytes_of(const Pieces& pieces) {
    uint64_t bytes = 0;
    for (const Piece& piece : pieces) bytes += piece.length_bytes();
    return bytes;
}

}  // namespace

TEST_CASE("short contents share a request up to 8 MiB, and a whole chunk has its own") {
    Packer packer;
    CHECK_FALSE(packer.add({file_of(3 << 20), 0}));
    CHECK_FALSE(packer.add({file_of(5 << 20), 0}));
    const auto full = packer.add({file_of(1), 0});
    REQUIRE(full);
    CHECK(full->size() == 2);
    CHECK(bytes_of(*full) == kChunkBytes);
    const auto before_chunk = packer.add({file_of(20 << 20), 1});
    REQUIRE(before_chunk);
    CHECK(bytes_of(*before_chunk) == 1);
    const auto chunk = packer.add({file_of(20 << 20), 2});
    REQUIRE(chunk);
    CHECK(bytes_of(*chunk) == kChunkBytes);
    CHECK(bytes_of(packer.finish()) == 4 << 20);
    CHECK(packer.finish().empty());
}

TEST_CASE("a request has so many pieces at the most") {
    Packer packer;
    for (size_t i = 0; i < Packer::kPiecesMost; ++i) CHECK_FALSE(packer.add({file_of(1), 0}));
    const auto full = packer.add({file_of(1), 0});
    REQUIRE(full);
    CHECK(full->size() == Packer::kPiecesMost);
    CHECK(packer.finish().size() == 1);
}

TEST_CASE("a piece's header says what its bytes are") {
    const auto file = file_of((8 << 20) + 5, 1, true);
    const ChunkHeader header = Piece{file, 1}.header();
    CHECK(header.digest == file->entry.digest);
    CHECK(header.executable);
    CHECK(header.chunk == 1);
    CHECK(header.chunk_digest == file->entry.chunks[1]);
    CHECK(header.length() == 5);
    const auto whole = file_of(7);
    CHECK(Piece{whole, 0}.header().chunk_digest == whole->entry.digest.bytes);
}

TEST_CASE("a content is new once, an executable one is another, and after two batches it may be asked for again") {
    MetContents met;
    CHECK(met.meet(*file_of(5, 1)));
    CHECK_FALSE(met.meet(*file_of(5, 1)));
    CHECK(met.meet(*file_of(5, 1, true)));
    CHECK(met.meet(*file_of(5, 2)));
    met.begin_batch();
    CHECK_FALSE(met.meet(*file_of(5, 2)));
    met.begin_batch();
    CHECK(met.meet(*file_of(5, 2)));
}

TEST_CASE("an answer has a bit for each chunk, the lowest first") {
    const auto bits = MissingBits::read("\x04\x01", 9);
    REQUIRE(bits);
    for (uint64_t i = 0; i < 9; ++i) CHECK((*bits)[i] == (i == 2 || i == 8));
    for (const uint64_t chunks : {8, 17, 0}) {
        const auto wrong = MissingBits::read("\x04\x01", chunks);
        REQUIRE_FALSE(wrong);
        CHECK(wrong.error().kind() == ErrorKind::corrupt);
    }
    CHECK(MissingBits::read("", 0));
}

}  // namespace zcdp::datastore
