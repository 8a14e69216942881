// Certificates for keys that others made, and connections that demand a certificate's name whatever the address is.
#include "zcdp/net/pki.hpp"

#include <openssl/pem.h>

#include <boost/asio/io_context.hpp>
#include <memory>

#include "tests/support/doctest.hpp"
#include "zcdp/net/control.hpp"
#include "zcdp/net/http.hpp"

namespace zcdp::net {
namespace {

constexpr int64_t kDayS = 86'400;

template <auto free>
struct Free {
    void operator()(auto* p) const { free(p); }
};
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using Bio = std::unique_ptr<BIO, Free<BIO_free>>;
using Csr = std::unique_ptr<X509_REQ, Free<X509_REQ_free>>;

/// A request with `shown` in it and the signature of `signer`.
std::string request_of(EVP_PKEY* shown, EVP_PKEY* signer) {
    const Csr request(X509_REQ_new());
    X509_REQ_set_pubkey(request.get(), shown);
    REQUIRE(X509_REQ_sign(request.get(), signer, EVP_sha256()) > 0);
    const Bio out(BIO_new(BIO_s_mem()));
    PEM_write_bio_X509_REQ(out.get(), request.get());
    char* text = nullptr;
    const long length = BIO_get_mem_data(out.get(), &text);
    return std::string(text, static_cast<size_t>(length));
}

/// Who asks on the other side of TLS.
server::ControlResponse say_who(const server::Request& request, const std::string&) {
    return {200, "text/plain", request.peer->certificate_name};
}

Task<> ask_in_turn(HttpClient* http, std::vector<Endpoint> endpoints, std::vector<std::string>* out) {
    for (Endpoint& endpoint : endpoints) {
        auto got = co_await http->send(std::move(endpoint), {}, Deadline::in_ms(10'000));
        if (!got) {
            out->push_back("error: " + got.error().line());
            continue;
        }
        auto body = co_await (*got)->read_all(1 << 10);
        out->push_back(body ? *body : "error: " + body.error().line());
    }
}

/// What one client with this identity hears at each of them.
std::vector<std::string> ask(const std::string& roots, const KeyPair& identity, std::vector<Endpoint> endpoints) {
    Metrics metrics;
    Logger log(system_clock(), 2, LogLevel::off, LogFormat::text);
    asio::io_context loop;
    TlsOptions tls;
    tls.ca_pem = roots, tls.client_cert_pem = identity.certificate_pem, tls.client_key_pem = identity.key_pem;
    HttpClientOptions options;
    options.tls = make_tls_context(std::move(tls));
    const auto client = make_http_client(loop.get_executor(), options, system_clock(), metrics, log);
    std::vector<std::string> out;
    asio::co_spawn(loop, ask_in_turn(client.get(), std::move(endpoints), &out), [&](std::exception_ptr) {
        client->close();
        loop.stop();
    });
    loop.run();
    return out;
}

/// A node's certificate, for a key that it made itself.
KeyPair certified(const KeyPair& ca, const std::string& node) {
    const auto request = make_certificate_request("whatever it says").value();
    const auto certificate =
        sign_certificate_request(ca, request.request_pem, node, {node}, system_clock().unix_s(), kDayS);
    REQUIRE(certificate);
    return {*certificate, request.key_pem};
}

}  // namespace

TEST_CASE("a signed request is a certificate of the requester's key, for the caller's time") {
    constexpr int64_t kNow = 1'800'000'000;
    const KeyPair ca = make_ca("ca", kNow, 100).value();
    const auto request = make_certificate_request("node-3").value();
    const auto certificate = sign_certificate_request(ca, request.request_pem, "node-3", {"node-3"}, kNow, kDayS + 7);
    REQUIRE(certificate);
    CHECK(is_key_pair({*certificate, request.key_pem}));
    CHECK(certificate_end(*certificate).value() == kNow + kDayS + 7);
    CHECK(make_certificate_request("node-3").value().key_pem != request.key_pem);
}

TEST_CASE("a request is refused that is none, too long, of another kind of key, or signed by another key") {
    const KeyPair ca = make_ca("ca", 0, 100).value();
    const std::string good = make_certificate_request("x").value().request_pem;
    const Key p256(EVP_EC_gen("P-256")), other(EVP_EC_gen("P-256")), p384(EVP_EC_gen("P-384")), rsa(EVP_RSA_gen(2048));
    const auto refused = [&](const std::string& text) {
        const auto signed_request = sign_certificate_request(ca, text, "a", {"a"}, 0, kDayS);
        REQUIRE_FALSE(signed_request);
        CHECK(signed_request.error().kind() == ErrorKind::refused);
        return signed_request.error().line();
    };
    REQUIRE(sign_certificate_request(ca, request_of(p256.get(), p256.get()), "a", {"a"}, 0, kDayS));
    CHECK(refused("").find("PKCS#10") != std::string::npos);
    CHECK(refused(ca.certificate_pem).find("PKCS#10") != std::string::npos);
    CHECK(refused(good.substr(0, good.size() / 2)).find("PKCS#10") != std::string::npos);
    CHECK(refused(std::string(16 << 10, '\n') + good).find("16 KiB") != std::string::npos);
    CHECK(refused(request_of(p384.get(), p384.get())).find("P-256") != std::string::npos);
    CHECK(refused(request_of(rsa.get(), rsa.get())).find("P-256") != std::string::npos);
    CHECK(refused(request_of(p256.get(), other.get())).find("its own key") != std::string::npos);
    EVP_PKEY_set_utf8_string_param(p256.get(), "encoding", "explicit");
    CHECK(refused(request_of(p256.get(), p256.get())).find("P-256") != std::string::npos);
    for (const char* name : {"", "a,IP:10.0.0.1", "a b", "*.a", "a\n"}) {
        INFO(name);
        CHECK_FALSE(sign_certificate_request(ca, good, "a", {name}, 0, kDayS));
        CHECK_FALSE(sign_certificate_request(ca, good, name, {"a"}, 0, kDayS));
    }
}

TEST_CASE("a signed request serves and asks by its name, which is demanded of whatever address it has") {
    const KeyPair ca = make_ca("ca", system_clock().unix_s(), 100).value();
    const std::string long_name = std::string(60, 'n') + "." + std::string(60, 'm') + ".internal";
    for (const std::string& node : {std::string("node-3"), std::string("10.0.0.7"), long_name}) {
        INFO(node);
        const KeyPair own = certified(ca, node);
        Logger log(system_clock(), 2, LogLevel::off, LogFormat::text);
        server::Options options;
        options.listen = "127.0.0.1:0", options.tls = true;
        options.certificate_pem = own.certificate_pem, options.key_pem = own.key_pem;
        options.client_ca_pem = ca.certificate_pem;
        const auto server =
            server::ControlServer::open(options, 2, server::ControlRouter().otherwise(say_who), log).value();
        const Endpoint right{true, "127.0.0.1", server->port(), node},
            wrong{true, "127.0.0.1", server->port(), "node-4"}, unnamed{true, "127.0.0.1", server->port()};
        const auto heard = ask(ca.certificate_pem, certified(ca, long_name), {right, wrong, unnamed, right});
        REQUIRE(heard.size() == 4);
        CHECK(heard[0] == long_name);
        CHECK(heard[1].find("error: ") == 0);
        CHECK(heard[2].find("error: ") == 0);
        CHECK(heard[3] == long_name);
    }
}

}  // namespace zcdp::net
