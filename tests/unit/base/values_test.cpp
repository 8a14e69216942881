// Digests, dates, sizes, randomness: the values that everything else is made of.
#include <set>

#include "tests/support/doctest.hpp"
#include "zcdp/base/ascii.hpp"
#include "zcdp/base/base64.hpp"
#include "zcdp/base/clock.hpp"
#include "zcdp/base/digest.hpp"
#include "zcdp/base/random.hpp"
#include "zcdp/base/units.hpp"

using namespace zcdp;

TEST_CASE("SHA-256 and HMAC-SHA-256 give the published vectors") {
    CHECK(to_hex(Sha256::of("")) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK(to_hex(Sha256::of("abc")) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(to_hex(Sha256::of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")) ==
          "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    Sha256 hash;  // FIPS 180-2: a million times 'a'
    for (int i = 0; i < 1000; ++i) hash.update(std::string(1000, 'a'));
    CHECK(to_hex(hash.finish()) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    const std::string key(20, '\x0b');  // RFC 4231, cases 1 and 6
    CHECK(to_hex(hmac_sha256({reinterpret_cast<const uint8_t*>(key.data()), key.size()}, "Hi There")) ==
          "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    const std::string long_key(131, '\xaa');
    CHECK(to_hex(hmac_sha256({reinterpret_cast<const uint8_t*>(long_key.data()), long_key.size()},
                             "Test Using Larger Than Block-Size Key - Hash Key First")) ==
          "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST_CASE("base64 for tokens (RFC 4648 section 5), without padding") {
    const std::string bytes("\xfb\xef\xbe\xff\0", 5);
    CHECK(to_base64url(bytes) == "----_wA");
    CHECK(from_base64url("----_wA") == bytes);
    CHECK(from_base64url("") == "");
    for (const char* bad : {"++++", "Zg==", "Z", "Zm9v\n", "Zm 9"}) {
        INFO(bad);
        CHECK_FALSE(from_base64url(bad).has_value());
    }
}

TEST_CASE("letters in any case, blanks around them, hex in either case") {
    CHECK(to_lower("HTTPS://Ex-ÄZ[@`{") == "https://ex-Äz[@`{");
    CHECK(equal_ignoring_case("Content-Length", "content-lengtH"));
    CHECK(!equal_ignoring_case("a@", "A`"));  // one bit apart, as a letter's cases are
    CHECK(!equal_ignoring_case("ab", "abc"));
    CHECK(trimmed(" \t a b\t ") == "a b");
    CHECK(trimmed("\r\na\n") == "\r\na\n");
    CHECK(trimmed("\r\na\n", " \r\n") == "a");
    CHECK(trimmed("  ").empty());
    CHECK(bytes_from_hex("00fFA9") == std::string("\0\xff\xa9", 3));
    for (const char* wrong : {"0", "0g", "g0", "0x", " 1"}) CHECK_MESSAGE(bytes_from_hex(wrong).empty(), wrong);
    CHECK(sha256_from_hex(to_hex(Sha256::of(""))) == Sha256::of(""));
    CHECK(!sha256_from_hex(std::string(63, '0') + "A"));
}

TEST_CASE("digests are written with their kind and read back strictly") {
    const Digest digest{DigestKind::sha256tree, Sha256::of("x")};
    CHECK(Digest::parse(digest.str()) == digest);
    CHECK(Digest::parse("sha256:" + digest.hex()) != digest);
    for (const std::string& wrong : {std::string(), digest.hex(), "sha256:" + digest.hex().substr(1),
                                     "sha512:" + digest.hex(), "sha256:" + std::string(64, 'G'),
                                     "SHA256:" + digest.hex(), "sha256:" + std::string(64, 'A'), digest.str() + " "})
        CHECK_MESSAGE(!Digest::parse(wrong), wrong);
}

TEST_CASE("chunks: at least one, only the last one shorter; one chunk's digest is its own, more make a tree") {
    CHECK(chunk_count(0) == 1);
    CHECK(chunk_count(kChunkBytes) == 1);
    CHECK(chunk_count(kChunkBytes + 1) == 2);
    CHECK(chunk_length(kChunkBytes + 1, 0) == kChunkBytes);
    CHECK(chunk_length(kChunkBytes + 1, 1) == 1);
    CHECK(chunk_length(0, 0) == 0);
    const std::vector<Sha256Bytes> two{Sha256::of("a"), Sha256::of("b")};
    CHECK(digest_of_chunks(std::span(two).first(1)) == Digest{DigestKind::sha256, two[0]});
    std::string both(reinterpret_cast<const char*>(two.data()), 64);
    CHECK(digest_of_chunks(two) == Digest{DigestKind::sha256tree, Sha256::of(both)});
}

TEST_CASE("dates are written and read back") {
    CHECK(iso8601(1767323045) == "2026-01-02T03:04:05Z");
    CHECK(amz_date(1767323045) == "20260102T030405Z");
    CHECK(http_date(1767323045) == "Fri, 02 Jan 2026 03:04:05 GMT");
    for (const int64_t t : {int64_t{0}, int64_t{951782400}, int64_t{1767323045}, int64_t{4102444799}}) {
        CHECK(parse_http_date(http_date(t)) == t);
        CHECK(parse_iso8601(iso8601(t)) == t);
    }
    CHECK(parse_iso8601("2026-01-02T03:04:05.123Z") == 1767323045);
    for (const char* wrong : {"", "2026-13-02T03:04:05Z", "2026-02-30T03:04:05Z", "2026-01-02T03:04:05",
                              "2026-01-02 03:04:05Z", "2026-01-02T03:04:05.Z"})
        CHECK_MESSAGE(parse_iso8601(wrong) == -1, wrong);
    for (const char* wrong :
         {"", "Fri, 02 Jan 2026 03:04:05", "Fri, 02 Foo 2026 03:04:05 GMT", "Friday, 02-Jan-26 03:04:05 GMT"})
        CHECK_MESSAGE(parse_http_date(wrong) == -1, wrong);
}

TEST_CASE("sizes, rates and durations between people and numbers") {
    CHECK(parse_size("0") == 0);
    CHECK(parse_size("4096") == 4096);
    CHECK(parse_size("32MiB") == 32u << 20);
    CHECK(parse_size("1.5GiB") == 3ull << 29);
    CHECK(parse_size("64k") == 64000);
    CHECK(parse_size("100M") == 100000000);
    CHECK(parse_size("18446744073709551615") == UINT64_MAX);
    CHECK(parse_rate("10MiB/s") == 10u << 20);
    for (const char* wrong :
         {"", "x", "-1", "1.", ".", "1ZiB", "1 Mi B", "18446744073709551616", "20EiB", "1e3", "MiB"})
        CHECK_MESSAGE(!parse_size(wrong), wrong);
    CHECK(parse_duration_ms("30") == 30000);
    CHECK(parse_duration_ms("500ms") == 500);
    CHECK(parse_duration_ms("1h30m") == 5400000);
    CHECK(parse_duration_ms("0.5s") == 500);
    for (const char* wrong : {"", "s", "1w", "-1s", "1h x"}) CHECK_MESSAGE(!parse_duration_ms(wrong), wrong);
    CHECK(format_size(0) == "0 B");
    CHECK(format_size(1023) == "1023 B");
    CHECK(format_size(1536) == "1.5 KiB");
    CHECK(format_size(1ull << 60) == "1 EiB");
    CHECK(format_count(1234567) == "1,234,567");
    CHECK(format_duration(59'999) == "59 s");
    CHECK(format_duration(192'000) == "3m12s");
}

TEST_CASE("seeded randomness repeats, and stays below its bound") {
    SeededRandom one(42), same(42), other(43);
    std::set<uint64_t> seen;
    for (int i = 0; i < 1000; ++i) {
        const uint64_t value = one.u64();
        CHECK(value == same.u64());
        CHECK(value != other.u64());
        seen.insert(value);
    }
    CHECK(seen.size() == 1000);
    int below[7] = {};
    for (int i = 0; i < 7000; ++i) ++below[one.below(7)];
    for (const int count : below) CHECK((count > 800 && count < 1200));
    CHECK(one.hex(13).size() == 13);
}
