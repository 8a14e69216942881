// Reads in ranges whose checksums the service states.
#include "src/origin/remote/range_check.hpp"

#include "tests/support/doctest.hpp"

namespace zcdp::origin {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
    return std::as_bytes(std::span(text.data(), text.size()));
}

ObjectChecksum crc_of(std::string_view text) {
    return {ObjectChecksum::Kind::crc64nvme, crc_raw(CrcKind::crc64nvme, Crc::of(CrcKind::crc64nvme, text))};
}

}  // namespace

TEST_CASE("a request ends at the next multiple of the checked length, or with the read") {
    CHECK(request_end(0, 10, 4) == 4);
    CHECK(request_end(3, 10, 4) == 4);
    CHECK(request_end(4, 10, 4) == 8);
    CHECK(request_end(8, 10, 4) == 10);
    CHECK(request_end(8, 12, 4) == 12);
    CHECK(request_end(3, 10, 0) == 10);
    CHECK(request_end(UINT64_MAX - 6, UINT64_MAX - 4, 4) == UINT64_MAX - 4);
}

TEST_CASE("a range's bytes in pieces have the checksum that is stated of them, or are corrupt") {
    RangeCheck right(crc_of("some bytes"), 100);
    right.update(bytes_of("some "));
    right.update(bytes_of("bytes"));
    CHECK(right.finish("o"));
    RangeCheck wrong(crc_of("some bytes"), 100);
    wrong.update(bytes_of("some bites"));
    const Result<> found = wrong.finish("az://a/c/o");
    REQUIRE(!found);
    CHECK(found.error().kind() == ErrorKind::corrupt);
    CHECK(found.error().line().starts_with("az://a/c/o: bytes 100-109 were received with CRC "));
    RangeCheck none({}, 0);
    none.update(bytes_of("anything"));
    CHECK(none.finish("o"));
}

}  // namespace zcdp::origin
