// docs/formats.md, "Pieces": the vectors there, the limits, and both ways through random lists.
#include "zcdp/swarm/pieces.hpp"

#include <optional>
#include <vector>

#include "tests/support/doctest.hpp"
#include "zcdp/base/random.hpp"

namespace zcdp::swarm {
namespace {

constexpr uint64_t kMiB = 1 << 20;

/// nullopt is a folder or a symlink.
PieceTable table_of(const std::vector<std::optional<uint64_t>>& sizes) {
    PieceTable table;
    for (const auto& size : sizes) size ? table.add_file(*size) : table.add_other();
    table.finish();
    return table;
}

std::vector<Piece> pieces_of(const PieceTable& table) {
    std::vector<Piece> out;
    for (uint64_t i = 0; i < table.pieces(); ++i) out.push_back(table.at(i));
    return out;
}

}  // namespace

TEST_CASE("the vector: a run, one that is full, one before a long file, three chunks, a run again") {
    const PieceTable table = table_of({5, 0, 8 * kMiB, std::nullopt, 3 * kMiB, 20 * kMiB + 1, 1, std::nullopt, 2});
    CHECK(pieces_of(table) == std::vector<Piece>{{0, 0, 0, 5, false},
                                                 {2, 2, 0, 8 * kMiB, false},
                                                 {4, 4, 0, 3 * kMiB, false},
                                                 {5, 5, 0, 8 * kMiB, true},
                                                 {5, 5, 1, 8 * kMiB, true},
                                                 {5, 5, 2, 4 * kMiB + 1, true},
                                                 {6, 8, 0, 3, false}});
    CHECK(table.entries() == 9);
    CHECK(table.size_bytes() == 31 * kMiB + 9);
}

TEST_CASE("a list without content has no pieces") {
    CHECK(table_of({}).pieces() == 0);
    CHECK(table_of({0, std::nullopt, 0}).pieces() == 0);
}

TEST_CASE("a run is full at 8 MiB, to the byte, and at 4,096 files, of which empty ones are none") {
    CHECK(table_of({4 * kMiB, 4 * kMiB}).pieces() == 1);
    CHECK(table_of({4 * kMiB, 4 * kMiB, 1}).pieces() == 2);
    CHECK(table_of({4 * kMiB, 4 * kMiB + 1}).pieces() == 2);
    std::vector<std::optional<uint64_t>> many(kPieceFilesMost, 1);
    many.insert(many.begin() + 100, 0);
    CHECK(table_of(many).pieces() == 1);
    many.push_back(1);
    CHECK(table_of(many).pieces() == 2);
}

TEST_CASE("random lists: pieces hold each byte once, none too much, and the way back finds them") {
    for (uint64_t seed = 1; seed <= 200; ++seed) {
        SeededRandom random(seed);
        std::vector<std::optional<uint64_t>> sizes;
        for (uint64_t i = random.below(300); i-- > 0;) {
            const uint64_t kind = random.below(10);
            if (kind == 0) sizes.push_back(std::nullopt);
            else if (kind == 1) sizes.push_back(0);
            else if (kind == 2) sizes.push_back(random.below(60 * kMiB));
            else sizes.push_back(random.below(kind < 6 ? 3 * kMiB : 9000));
        }
        const PieceTable table = table_of(sizes);
        uint64_t bytes = 0;
        for (const Piece& piece : pieces_of(table)) {
            CHECK(piece.size_bytes > 0);
            CHECK(piece.size_bytes <= kPieceBytesMost);
            bytes += piece.size_bytes;
        }
        CHECK(bytes == table.size_bytes());
        uint64_t next = 0;  // the pieces come in the list's order
        for (size_t entry = 0; entry < sizes.size(); ++entry) {
            if (sizes[entry].value_or(0) == 0) continue;
            for (uint64_t chunk = 0; chunk < chunk_count(*sizes[entry]); ++chunk) {
                const uint64_t piece = table.of(entry, chunk);
                CHECK((piece == next || piece + 1 == next));
                next = piece + 1;
                CHECK(table.at(piece).first_entry <= entry);
                CHECK(table.at(piece).last_entry >= entry);
                CHECK(table.at(piece).chunk == chunk);
            }
        }
        CHECK(next == table.pieces());
    }
}

}  // namespace zcdp::swarm
