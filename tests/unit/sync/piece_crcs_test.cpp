// Sums of pieces against sums over all the bytes, computed the plain way.
#include "src/sync/fetch/piece_crcs.hpp"

#include <algorithm>

#include "src/sync/fetch/verify.hpp"
#include "tests/support/doctest.hpp"
#include "zcdp/base/digest.hpp"
#include "zcdp/base/random.hpp"

namespace zcdp::sync {
namespace {

using Kind = origin::ObjectChecksum::Kind;

std::string bytes_of(SeededRandom& random, size_t size) {
    std::string out(size, '\0');
    random.fill(std::as_writable_bytes(std::span(out)));
    return out;
}

/// As the bytes come: chunks in any order, each in pieces of any length.
void feed(PieceCrcs& crcs, const std::string& content, SeededRandom& random) {
    std::vector<uint64_t> chunks(chunk_count(content.size()));
    for (uint64_t i = 0; i < chunks.size(); ++i) chunks[i] = i;
    for (size_t i = chunks.size(); i > 1; --i) std::swap(chunks[i - 1], chunks[random.below(i)]);
    for (const uint64_t chunk : chunks) {
        RunningCrc crc(crcs);
        const uint64_t end = chunk * kChunkBytes + chunk_length(content.size(), chunk);
        for (uint64_t at = chunk * kChunkBytes; at < end;) {
            const uint64_t length = std::min<uint64_t>(end - at, 1 + random.below(3 << 20));
            crc.update(at, std::as_bytes(std::span(content).subspan(at, length)));
            at += length;
        }
    }
}

std::string composite(origin::CrcKind kind, const std::string& content, uint64_t part_bytes) {
    std::string sums;
    for (size_t at = 0; at < content.size(); at += part_bytes)
        sums += origin::crc_raw(kind, origin::Crc::of(kind, content.substr(at, part_bytes)));
    return origin::crc_raw(kind, origin::Crc::of(kind, sums));
}

TEST_CASE("the CRC of the whole and the composite follow from pieces, wherever parts end") {
    SeededRandom random(7);
    const std::string content = bytes_of(random, 3 * kChunkBytes + 12345);
    const uint64_t sizes[] = {5 << 20, kChunkBytes, 16 << 20, (5 << 20) + 1, 17'179'869, content.size() - 1, 12345};
    for (const uint64_t part_bytes : sizes) {
        CAPTURE(part_bytes);
        for (const auto kind : {origin::CrcKind::crc32, origin::CrcKind::crc32c}) {
            PieceCrcs crcs(kind, content.size(), part_bytes);
            feed(crcs, content, random);
            CHECK(crcs.whole() == origin::crc_raw(kind, origin::Crc::of(kind, content)));
            CHECK(crcs.of_parts() == composite(kind, content, part_bytes));
        }
    }
}

TEST_CASE("an object that ends with a chunk and with a part has as many pieces as both, and no more") {
    SeededRandom random(8);
    for (const size_t size :
         {size_t{1}, size_t{kChunkBytes - 1}, size_t{kChunkBytes}, size_t{kChunkBytes + 1}, size_t{2 * kChunkBytes}}) {
        const std::string content = bytes_of(random, size);
        for (const uint64_t part_bytes : {uint64_t{0}, uint64_t{kChunkBytes}, uint64_t{size}, uint64_t{4 << 20}}) {
            CAPTURE(size);
            CAPTURE(part_bytes);
            PieceCrcs crcs(origin::CrcKind::crc32c, size, part_bytes);
            feed(crcs, content, random);
            CHECK(crcs.whole() ==
                  origin::crc_raw(origin::CrcKind::crc32c, origin::Crc::of(origin::CrcKind::crc32c, content)));
            if (part_bytes > 0) CHECK(crcs.of_parts() == composite(origin::CrcKind::crc32c, content, part_bytes));
        }
    }
}

TEST_CASE("parts of any size make no piece beyond the object, and none overflows") {
    const PieceCrcs crcs(origin::CrcKind::crc32, 5ull << 40, ~uint64_t{0} / 2);
    CHECK(crcs.piece_end(0) == kChunkBytes);
    CHECK(crcs.piece_end((5ull << 40) - 1) == 5ull << 40);
}

TEST_CASE("which sums of parts are judged while the bytes come") {
    const Digest tree{DigestKind::sha256tree, {}}, one{DigestKind::sha256, {}};
    const PieceCrcs none;
    const uint64_t size = 20 << 20;
    const auto judged = [&](Kind kind, uint32_t parts, const Digest& digest, uint64_t part_bytes) {
        return is_judged_by_chunks({size, digest, none, part_bytes}, {kind, "", parts});
    };
    CHECK(judged(Kind::crc32, 0, tree, 0));
    CHECK(judged(Kind::crc32, 4, tree, 5 << 20));
    CHECK_FALSE(judged(Kind::crc32, 4, tree, 0));
    CHECK(judged(Kind::sha256, 3, tree, kChunkBytes));
    CHECK_FALSE(judged(Kind::sha256, 4, tree, 5 << 20));
    CHECK_FALSE(judged(Kind::sha256, 2, tree, kChunkBytes));  // as many parts as it cannot have
    CHECK_FALSE(judged(Kind::sha256, 0, tree, 0));            // read back
    CHECK(judged(Kind::sha256, 0, one, 0));
    CHECK(judged(Kind::sha256, 1, one, 0));
    CHECK_FALSE(judged(Kind::sha1, 3, tree, kChunkBytes));
    CHECK_FALSE(judged(Kind::md5, 0, tree, 0));
}

TEST_CASE("the sum of one part's sum is that of an object in one part") {
    const std::string text = "123456789";
    const auto bytes = std::as_bytes(std::span(text));
    const Digest digest{DigestKind::sha256, Sha256::of(text)};
    const std::string crc = origin::crc_raw(origin::CrcKind::crc32, origin::Crc::of(origin::CrcKind::crc32, text));
    origin::ObjectChecksum claimed{
        Kind::crc32, origin::crc_raw(origin::CrcKind::crc32, origin::Crc::of(origin::CrcKind::crc32, crc)), 1};
    CHECK(verify_content(bytes, digest, claimed));
    claimed.raw[3] ^= 1;
    CHECK_FALSE(verify_content(bytes, digest, claimed));
    claimed.parts = 2;  // whose sizes nobody knows
    CHECK(verify_content(bytes, digest, claimed));
}

}  // namespace
}  // namespace zcdp::sync
