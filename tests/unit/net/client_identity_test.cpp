// Who we say we are to a server that asks, looked at before anybody is asked.
#include "src/net/client/client_identity.hpp"

#include <openssl/pem.h>

#include "tests/support/doctest.hpp"
#include "zcdp/net/pki.hpp"

using namespace zcdp;
using namespace zcdp::net;

namespace {

constexpr int64_t kNow = 1'800'000'000, kDay = 86'400;
constexpr int kDays = 30;

KeyPair issued() {
    static const KeyPair ca = make_ca("test CA", kNow, 3650).value();
    return issue_certificate(ca, "client", {"client.test"}, kNow, kDays).value();
}

TlsOptions options_of(const std::string& certificate, const std::string& key) {
    TlsOptions out;
    out.client_cert_pem = certificate, out.client_key_pem = key;
    out.client_cert_name = "cert.pem", out.client_key_name = key.empty() ? "" : "key.pem";
    return out;
}

std::string encrypted(const std::string& key_pem) {
    const std::unique_ptr<BIO, decltype(&BIO_free)> in(BIO_new_mem_buf(key_pem.data(), -1), &BIO_free);
    const std::unique_ptr<EVP_PKEY, IdentityFree> key(PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, nullptr));
    REQUIRE(key);
    const std::unique_ptr<BIO, decltype(&BIO_free)> out(BIO_new(BIO_s_mem()), &BIO_free);
    std::string passphrase = "secret";
    REQUIRE(PEM_write_bio_PKCS8PrivateKey(out.get(), key.get(), EVP_aes_256_cbc(), passphrase.data(),
                                          static_cast<int>(passphrase.size()), nullptr, nullptr) == 1);
    char* text = nullptr;
    const long length = BIO_get_mem_data(out.get(), &text);
    return std::string(text, static_cast<size_t>(length));
}

/// The error of these, which must be one, of a file of this name.
Error refused(const TlsOptions& options, const std::string& file, int64_t now = kNow) {
    const auto checked = check_client_identity(options, now);
    REQUIRE_FALSE(checked);
    CHECK(checked.error().object() == file);
    CHECK_FALSE(checked.error().hint().empty());
    return checked.error();
}

}  // namespace

TEST_CASE("no identity is fine, and so is a certificate with its key, in one file or in two") {
    const KeyPair pair = issued();
    CHECK(check_client_identity({}, kNow));
    CHECK(check_client_identity(options_of(pair.certificate_pem, pair.key_pem), kNow));
    CHECK(check_client_identity(options_of(pair.certificate_pem + pair.key_pem, ""), kNow));
    CHECK(check_client_identity(options_of(pair.key_pem + pair.certificate_pem, ""), kNow));
    const auto chain = parse_client_identity(
        options_of(pair.certificate_pem + make_ca("another", kNow, 1).value().certificate_pem, pair.key_pem));
    REQUIRE(chain);
    CHECK(chain->chain.size() == 2);
}

TEST_CASE("a certificate counts from its first second to its last") {
    const KeyPair pair = issued();
    const TlsOptions options = options_of(pair.certificate_pem, pair.key_pem);
    const int64_t end = certificate_end(pair.certificate_pem).value();
    CHECK(check_client_identity(options, end - 1));
    const Error over = refused(options, "cert.pem", end + 1);
    CHECK(over.kind() == ErrorKind::denied);
    CHECK(over.what().find("the client certificate ended on 20") == 0);
    const Error early = refused(options, "cert.pem", kNow - kDay);
    CHECK(early.kind() == ErrorKind::denied);
    CHECK(early.what().find("the client certificate begins on 20") == 0);
}

TEST_CASE("files that do not hold what they should are named") {
    const KeyPair pair = issued(), other = issued();
    CHECK(refused(options_of("", pair.key_pem), "key.pem").what() == "is a key without its certificate");
    CHECK(refused(options_of("no PEM", pair.key_pem), "cert.pem").what() == "holds no certificate in PEM");
    CHECK(refused(options_of(pair.key_pem, ""), "cert.pem").what() == "holds no certificate in PEM");
    CHECK(refused(options_of(pair.certificate_pem, ""), "cert.pem").what() ==
          "holds no private key beside the certificate");
    CHECK(refused(options_of(pair.certificate_pem, "no PEM"), "key.pem").what() == "holds no private key in PEM");
    CHECK(refused(options_of(pair.certificate_pem, other.key_pem), "key.pem").what() ==
          "is not the key of the certificate in cert.pem");
    std::string broken = pair.certificate_pem;
    broken.replace(broken.size() / 2, 8, "AAAAAAAA");
    broken.replace(broken.size() / 3, 1, "!");
    CHECK(refused(options_of(broken, pair.key_pem), "cert.pem").what() == "holds a certificate that is broken");
    // The first alone is not enough: what signed it goes over the wire, too.
    CHECK(refused(options_of(pair.certificate_pem + broken, pair.key_pem), "cert.pem").kind() == ErrorKind::usage);
    for (const auto& options : {options_of("no PEM", ""), options_of("", "x")})
        CHECK(check_client_identity(options, kNow).error().kind() == ErrorKind::usage);
}

TEST_CASE("a key with a passphrase is refused, and nobody is asked for it") {
    const KeyPair pair = issued();
    const std::string key = encrypted(pair.key_pem);
    REQUIRE(key.find("ENCRYPTED") != std::string::npos);
    const Error beside = refused(options_of(pair.certificate_pem + key, ""), "cert.pem");
    const Error apart = refused(options_of(pair.certificate_pem, key), "key.pem");
    CHECK(beside.kind() == ErrorKind::usage);
    CHECK(apart.what() == "is encrypted with a passphrase, which zcdp does not ask for");
}
