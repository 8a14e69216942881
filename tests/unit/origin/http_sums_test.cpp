// Lists of digests.
#include "src/origin/http/sums.hpp"
#include "tests/support/doctest.hpp"

namespace zcdp::origin::http {
namespace {

const std::string kHex(64, 'a'), kOther(64, 'b'), kLong(128, 'c'), kMd5(32, 'd');

/// Paths with the first digit of their digests: "a:name"; or the error's line.
std::string read(const std::string& text, const std::string& own_name = "") {
    const auto sums = parse_sums(text, own_name);
    if (!sums) {
        CHECK(sums.error().kind() == ErrorKind::refused);
        return sums.error().what();
    }
    std::string out;
    for (const Sum& sum : sums->files)
        out += (out.empty() ? "" : " ") +
               std::string(1, "0123456789abcdef"[static_cast<unsigned char>(sum.sha256.at(0)) & 15]) + ":" + sum.path;
    return out;
}

}  // namespace

TEST_CASE("lists of digests as sha256sum, BSD and OpenSSL write them") {
    CHECK(read("# comment\r\n" + kHex + "  plain\r\n" + kHex + " *./binary\n\\" + kHex +
               "  with\\nnewline\\\\\nSHA256 (b s d) = " + kHex + "\n\n") ==
          "a:b s d a:binary a:plain a:with\nnewline\\");
    CHECK(read("\xef\xbb\xbf" + kHex + " bsd -r\nSHA256(open ssl)= " + kHex + "\nSHA2-256(a)b)= " + kHex + "\n" + kHex +
               "\ttab\n") == "a:a)b a:bsd -r a:open ssl a:tab");
    CHECK(read("  " + std::string(64, 'A') + "  indented, in capitals") == "a:indented, in capitals");
    CHECK(read("\\SHA256 (a\\\\b) = " + kHex) == "a:a\\b");
    CHECK(read(kHex + "  twice\n" + kHex + " *./twice\n") == "a:twice");
    CHECK(parse_sums(kHex + "  x").value().files.at(0).sha256 == std::string(32, '\xaa'));
}

TEST_CASE("a digest without a name is of the file that the list lies beside") {
    for (const std::string& alone : {kHex, kHex + "\r\n", kHex + "  -\n"}) {
        CAPTURE(alone);
        CHECK(read(alone, "model.bin") == "a:model.bin");
        CHECK(read(alone) == "line 1 names no file");
    }
    CHECK(sidecar_of("model.bin.sha256") == "model.bin");
    CHECK(sidecar_of("model.bin.sha256sum") == "model.bin");
    CHECK(sidecar_of("SHA256SUMS") == "");
}

TEST_CASE("a clear signature stands around a list: its armor, its header and what it escapes are none of it") {
    const std::string begin = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\nCharset: utf-8\n\n",
                      end = "-----BEGIN PGP SIGNATURE-----\nVersion: 1\n\niQIz" + kHex +
                            "\n=abcd\n-----END PGP SIGNATURE-----\n";
    CHECK(read(begin + kHex + "  a\n" + kOther + " *b\n" + end) == "a:a b:b");
    CHECK(read(begin + "- -- release\n- " + kHex + "  a\n" + end + kOther + "  after\n") == "a:a b:after");
    CHECK(read("words before\r\n" + begin + kHex + "  a\r\n" + end) == "a:a");
    CHECK(read(begin + kHex.substr(1) + "  a\n" + end) == "line 5 is no line of sha256sum");
    CHECK(read("-----BEGIN PGP SIGNATURE-----\n\n" + kHex + "  x\n") == "");  // a signature alone lists nothing
}

TEST_CASE("lines that are of no list are passed over and counted, as sha256sum does; a digest that is mangled is not") {
    const auto sums = parse_sums("Checksums of release 1.0\n\n" + kHex + "  a\nSIZE (a) = 12\n").value();
    CHECK(sums.files.size() == 1);
    CHECK(sums.other_lines == 2);
    for (const std::string& wrong : {kHex + " ", kHex + "x y", "SHA256(x) " + kHex, kHex.substr(1) + "  x",
                                     kHex + "a  x", "\\" + kHex + "  a\\q", std::string("SHA256 (x) = 12"),
                                     "<html>" + kHex + "  x", "SHA256 (x) = " + kHex + " ", kHex.substr(2) + "zz  x"}) {
        INFO(wrong);
        CHECK(read(kOther + "  b\n" + wrong).starts_with("line 2 "));
    }
}

TEST_CASE("digests of other kinds are an error where a file has no other, by its name") {
    CHECK(read(kLong + "  a\n") == "line 1 has a digest of another kind (SHA-512), and there is no SHA-256 of a");
    CHECK(read(kMd5 + "  a\n" + kHex + "  b\n") ==
          "line 1 has a digest of another kind (MD5), and there is no SHA-256 of a");
    CHECK(read(kHex + "  b\nSHA512 (a) = " + kLong) ==
          "line 2 has a digest of another kind (SHA512), and there is no SHA-256 of a");
    CHECK(read("BLAKE2b (a) = " + kLong) ==
          "line 1 has a digest of another kind (BLAKE2b), and there is no SHA-256 of a");
    CHECK(read("MD5 (a) = " + kMd5 + "\nSHA256 (a) = " + kHex + "\nSHA512 (a) = " + kLong + "\n" + kMd5 + "  ./a\n") ==
          "a:a");
    CHECK(read(kHex + "  a\n" + kOther + "  a\n") == "names a file twice, with two digests: a");
}

TEST_CASE("a list is known by its name") {
    for (const char* name : {"SHA256SUMS", "sha256sums.txt", "SHA256SUM", "model.sha256", "model.bin.sha256sum",
                             "v1.sha256.txt", "checksums.txt"})
        CHECK_MESSAGE(is_sums_file(name), name);
    for (const char* name : {"model.bin", "SHA256SUMS.gpg", "SHA256SUMS.asc", "SHA512SUMS"})
        CHECK_FALSE_MESSAGE(is_sums_file(name), name);
}

}  // namespace zcdp::origin::http
