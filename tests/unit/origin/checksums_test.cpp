#include "zcdp/origin/checksums.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace zcdp::origin;

namespace {

constexpr CrcKind kKinds[] = {CrcKind::crc32, CrcKind::crc32c, CrcKind::crc64xz, CrcKind::crc64nvme};

std::string noise(size_t n) {
    std::string text(n, '\0');
    uint64_t x = 88172645463325252ull;
    for (char& c : text) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        c = static_cast<char>(x);
    }
    return text;
}

/// One bit at a time, straight from the definition.
uint64_t slow(CrcKind kind, std::string_view bytes) {
    const int bits = kind == CrcKind::crc64nvme || kind == CrcKind::crc64xz ? 64 : 32;
    const uint64_t polynomial = kind == CrcKind::crc32     ? 0xedb88320ull
                                : kind == CrcKind::crc32c  ? 0x82f63b78ull
                                : kind == CrcKind::crc64xz ? 0xc96c5795d7870f42ull
                                                           : 0x9a6c9329ac4bc9b5ull;
    const uint64_t ones = bits == 64 ? ~0ull : 0xffffffffull;
    uint64_t v = ones;
    for (char c : bytes) {
        v ^= static_cast<unsigned char>(c);
        for (int i = 0; i < 8; i++) v = (v >> 1) ^ (v & 1 ? polynomial : 0);
    }
    return v ^ ones;
}

std::span<const std::byte> bytes_of(std::string_view text) {
    return std::as_bytes(std::span(text.data(), text.size()));
}

}  // namespace

TEST_CASE("The CRCs have the check values of the catalogue and of RFC 3720") {
    CHECK(Crc::of(CrcKind::crc32, "123456789") == 0xcbf43926u);
    CHECK(Crc::of(CrcKind::crc32c, "123456789") == 0xe3069283u);
    CHECK(Crc::of(CrcKind::crc64xz, "123456789") == 0x995dc9bbdf1939faull);
    CHECK(Crc::of(CrcKind::crc64nvme, "123456789") == 0xae8b14860a799888ull);
    CHECK(Crc::of(CrcKind::crc32c, std::string(32, '\0')) == 0x8a9136aau);
    CHECK(Crc::of(CrcKind::crc32c, std::string(32, '\xff')) == 0x62a8ab43u);
    CHECK(Crc::of(CrcKind::crc64nvme, std::string(4096, '\0')) == 0x6482d367eb22b64eull);
    for (CrcKind kind : kKinds) CHECK(Crc::of(kind, "") == 0);
}

TEST_CASE("Folding, tables and the definition agree at every length and alignment") {
    const std::string text = noise(1500);
    for (CrcKind kind : kKinds)
        for (size_t begin = 0; begin < 3; begin++)
            for (size_t length = 0; length < 1400; length += length < 160 || (length > 500 && length < 800) ? 1 : 37) {
                const auto piece = std::string_view(text).substr(begin, length);
                const uint64_t expected = slow(kind, piece);
                REQUIRE(Crc::of(kind, piece) == expected);
                REQUIRE(crc_update_portable(kind, 0, bytes_of(piece)) == expected);
            }
}

TEST_CASE("A CRC goes on from any cut") {
    const std::string text = noise(5000);
    for (CrcKind kind : kKinds)
        for (size_t cut : {0u, 1u, 63u, 64u, 128u, 2000u, 4999u, 5000u}) {
            Crc crc(kind);
            crc.update(std::string_view(text).substr(0, cut));
            crc.update(std::string_view(text).substr(cut));
            CHECK(crc.value() == Crc::of(kind, text));
        }
}

TEST_CASE("CRCs of chunks combine into the CRC of the whole in any grouping") {
    const std::string text = noise(10'000);
    for (CrcKind kind : kKinds) {
        const uint64_t whole = Crc::of(kind, text);
        for (size_t cut : {0u, 1u, 255u, 256u, 4096u, 9999u, 10'000u}) {
            const auto a = std::string_view(text).substr(0, cut), b = std::string_view(text).substr(cut);
            CHECK(crc_combine(kind, Crc::of(kind, a), Crc::of(kind, b), b.size()) == whole);
        }
        const auto piece = [&](size_t i) { return std::string_view(text).substr(i * 2500, 2500); };
        const uint64_t right = crc_combine(kind, Crc::of(kind, piece(2)), Crc::of(kind, piece(3)), 2500);
        const uint64_t left = crc_combine(kind, Crc::of(kind, piece(0)), Crc::of(kind, piece(1)), 2500);
        CHECK(crc_combine(kind, left, right, 5000) == whole);
    }
}

TEST_CASE("Combining works for lengths beyond memory") {
    // 2^40 zero bytes twice is 2^41 zero bytes once.
    for (CrcKind kind : kKinds) {
        uint64_t zeros = Crc::of(kind, std::string(1, '\0'));
        for (int i = 0; i < 40; i++) zeros = crc_combine(kind, zeros, zeros, 1ull << i);
        uint64_t by_halves = Crc::of(kind, std::string(1024, '\0'));
        for (int i = 10; i < 40; i++) by_halves = crc_combine(kind, by_halves, by_halves, 1ull << i);
        CHECK(zeros == by_halves);
    }
}

TEST_CASE("Raw values are big-endian and as wide as their kind") {
    CHECK(crc_raw(CrcKind::crc32, 0x01020304u) == std::string("\x01\x02\x03\x04", 4));
    CHECK(crc_raw(CrcKind::crc64nvme, 0x0102030405060708ull) == std::string("\x01\x02\x03\x04\x05\x06\x07\x08", 8));
    CHECK(crc_kind(ObjectChecksum::Kind::crc32c) == CrcKind::crc32c);
    CHECK_FALSE(crc_kind(ObjectChecksum::Kind::sha256));
}
