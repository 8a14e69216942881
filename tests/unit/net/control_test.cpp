// What control traffic needs: addresses that are refused, zcdp's own CA, and the server over TCP, TLS and unix sockets.
#include <fcntl.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include "tests/support/doctest.hpp"
#include "tests/support/temp_folder.hpp"
#include "zcdp/base/base64.hpp"
#include "zcdp/net/control.hpp"
#include "zcdp/net/http.hpp"
#include "zcdp/net/pki.hpp"

namespace zcdp::net {
namespace {

struct Answer {
    int status = 0;
    std::string body;
};

/// One request over the client; status 0: it failed, with the reason as the body.
Answer send(const std::string& url, const Request& request, TlsOptions tls = {}, AddressRules rules = {}) {
    Metrics metrics;
    Logger log(system_clock(), 2, LogLevel::off, LogFormat::text);
    asio::io_context loop;
    HttpClientOptions options;
    options.tls = make_tls_context(std::move(tls));
    options.address_rules = std::move(rules);
    const auto client = make_http_client(loop.get_executor(), options, system_clock(), metrics, log);
    Answer out;
    const auto ask = [](HttpClient* http, std::string to, Request what, Answer* answer) -> Task<> {
        auto got = co_await http->send(Endpoint::parse(to).value(), std::move(what), Deadline::in_ms(10'000));
        if (!got) {
            answer->body = got.error().line();
            co_return;
        }
        answer->status = (*got)->status();
        auto body = co_await (*got)->read_all(64 << 20);
        answer->body = body ? *body : body.error().line();
    };
    asio::co_spawn(loop, ask(client.get(), url, request, &out), [&](std::exception_ptr) {
        client->close();
        loop.stop();
    });
    loop.run();
    return out;
}

Answer get(const std::string& url, const std::string& target, TlsOptions tls = {}, AddressRules rules = {}) {
    Request request;
    request.target = target;
    return send(url, request, std::move(tls), std::move(rules));
}

/// What the server sends for `request`, to the end of the connection.
std::string raw(uint16_t port, const std::string& request) {
    asio::io_context loop;
    asio::ip::tcp::socket socket(loop);
    socket.connect({asio::ip::make_address("127.0.0.1"), port});
    asio::write(socket, asio::buffer(request));
    std::string got;
    boost::system::error_code end;
    asio::read(socket, asio::dynamic_buffer(got), end);
    return got;
}

server::ControlResponse handler(const server::Request& request, const std::string&) {
    if (request.target == "/throw") throw std::runtime_error("on purpose");
    if (request.target != "/stream") return {200, "text/plain", request.method + " " + request.target, {}};
    server::ControlResponse out;
    out.stream = [](server::BodyWriter& writer) {
        for (int i = 0; i < 100; ++i)
            if (!writer.write(std::string(100'000, static_cast<char>('a' + i % 26)))) return;
    };
    return out;
}

}  // namespace

TEST_CASE("ranges of addresses: IPv4, IPv6, IPv4 within IPv6, and what is no range") {
    const auto rules =
        AddressRules::parse({"10.0.0.0/8", "169.254.169.254/32", "fe80::/10", "192.168.1.128/25"}).value();
    for (const char* denied :
         {"10.1.2.3", "169.254.169.254", "::ffff:10.0.0.1", "fe80::1%eth0", "febf::1", "192.168.1.200"}) {
        INFO(denied);
        CHECK_FALSE(rules.allows(denied));
    }
    for (const char* fine : {"11.0.0.1", "169.254.169.253", "fec0::1", "192.168.1.127", "2001:db8::1"}) {
        INFO(fine);
        CHECK(rules.allows(fine));
    }
    CHECK_FALSE(rules.allows("no address"));
    CHECK(AddressRules().allows("10.0.0.1"));
    for (const char* bad : {"10.0.0.0", "10.0.0.0/33", "x/8", "10.0.0.0/", "::/129", "10.0.0.0/8x"}) {
        INFO(bad);
        CHECK_FALSE(AddressRules::parse({bad}).has_value());
    }
}

TEST_CASE("loopback is an address or localhost, never a name that only looks like it") {
    for (const char* url : {"http://localhost:9000", "http://127.0.0.1", "http://127.8.9.10:1", "http://[::1]:9000"})
        CHECK_MESSAGE(Endpoint::parse(url).value().is_loopback(), url);
    for (const char* url : {"http://127.evil.example", "http://127.0.0.1.evil.example", "http://localhost.example",
                            "http://10.0.0.1", "http://[::2]"})
        CHECK_MESSAGE(!Endpoint::parse(url).value().is_loopback(), url);
}

TEST_CASE("the server answers, streams, survives a handler that throws, and the client refuses a denied address") {
    Logger log(system_clock(), 2, LogLevel::off, LogFormat::text);
    server::Options options;
    options.listen = "127.0.0.1:0";
    const auto server =
        server::ControlServer::open(options, 4, server::ControlRouter().otherwise(handler), log).value();
    const std::string url = "http://127.0.0.1:" + std::to_string(server->port());
    CHECK(get(url, "/x?y=1").body == "GET /x?y=1");
    CHECK(get(url, "/throw").status == 500);
    const Answer streamed = get(url, "/stream");
    CHECK(streamed.body.size() == 10'000'000);
    CHECK(streamed.body[100'000] == 'b');
    const Answer denied = get(url, "/x", {}, AddressRules::parse({"127.0.0.0/8"}).value());
    CHECK(denied.status == 0);
    CHECK(denied.body.find("not allowed") != std::string::npos);
}

TEST_CASE("the server's answers, byte for byte: kept open when asked for, chunks, HTTP/1.0") {
    Logger log(system_clock(), 2, LogLevel::off, LogFormat::text);
    server::Options options;
    options.listen = "127.0.0.1:0";
    const auto server =
        server::ControlServer::open(options, 4, server::ControlRouter().otherwise(handler), log).value();
    CHECK(raw(server->port(),
              "GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") ==
          "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\nGET /a"
          "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: 6\r\n\r\nGET /b");
    CHECK(raw(server->port(), "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /b HTTP/1.0\r\n\r\n") ==
          "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nConnection: keep-alive\r\nContent-Length: 6\r\n\r\nGET /a"
          "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\nGET /b");
    const std::string streamed = raw(server->port(), "GET /stream HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    CHECK(
        streamed.starts_with("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: "
                             "close\r\nTransfer-Encoding: chunked\r\n\r\n186a0\r\naaa"));
    CHECK(streamed.ends_with("vvv\r\n0\r\n\r\n"));
}

TEST_CASE("our CA's certificates verify for their names only, and a rotated one takes over") {
    const int64_t now = system_clock().unix_s();
    const KeyPair ca = make_ca("test-ca", now, 100).value(), other = make_ca("other-ca", now, 100).value();
    const KeyPair leaf = issue_certificate(ca, "a", {"svc.example", "localhost"}, now, 10).value();
    CHECK(certificate_end(leaf.certificate_pem).value() > now + 9 * 86'400);
    CHECK_FALSE(certificate_end("nothing").has_value());
    Logger log(system_clock(), 2, LogLevel::off, LogFormat::text);
    server::Options options;
    options.listen = "127.0.0.1:0";
    options.tls = true;
    options.certificate_pem = leaf.certificate_pem, options.key_pem = leaf.key_pem;
    const auto server =
        server::ControlServer::open(options, 4, server::ControlRouter().otherwise(handler), log).value();
    const std::string url = "https://127.0.0.1:" + std::to_string(server->port());
    const auto with = [&](const std::string& roots, const std::string& name) {
        TlsOptions tls;
        tls.ca_pem = roots, tls.server_name = name;
        return get(url, "/x", tls).status;
    };
    CHECK(with(ca.certificate_pem, "svc.example") == 200);
    CHECK(with(ca.certificate_pem, "evil.example") == 0);
    CHECK(with(other.certificate_pem, "svc.example") == 0);
    const KeyPair next = issue_certificate(other, "b", {"svc.example"}, now, 10).value();
    REQUIRE(server->set_certificate(next.certificate_pem, next.key_pem).has_value());
    CHECK(with(ca.certificate_pem + other.certificate_pem, "svc.example") == 200);
    CHECK(with(ca.certificate_pem, "svc.example") == 0);
    CHECK_FALSE(server->set_certificate("x", "y").has_value());
}

TEST_CASE("a part of a file goes out over TLS as it does without") {
    const KeyPair ca = make_ca("test-ca", system_clock().unix_s(), 100).value();
    const KeyPair leaf = issue_certificate(ca, "a", {"localhost"}, system_clock().unix_s(), 10).value();
    Logger log(system_clock(), 2, LogLevel::off, LogFormat::text);
    server::Options options;
    options.listen = "127.0.0.1:0";
    options.tls = true;
    options.certificate_pem = leaf.certificate_pem, options.key_pem = leaf.key_pem;
    const auto echo = [](const server::Request&, const std::string& body) {
        return server::ControlResponse{200, "text/plain", body};
    };
    const auto server = server::ControlServer::open(options, 4, server::ControlRouter().otherwise(echo), log).value();
    const test::TempFolder folder(/*in_memory=*/true);
    const auto file = std::make_shared<const Fd>(::open((folder.path() + "/f").c_str(), O_RDWR | O_CREAT, 0600));
    std::string content(2 << 20, '\0');
    for (size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>(i * 7 + i / 251);
    REQUIRE(system_fs().write(file->get(), std::as_bytes(std::span(content)), 0));
    Request request;
    request.method = "POST";
    request.parts.push_back({std::make_shared<const std::string>("first "), file, 100, 1'000'001});
    request.parts.push_back({std::make_shared<const std::string>(" last"), nullptr, 0, 0});
    TlsOptions tls;
    tls.ca_pem = ca.certificate_pem, tls.server_name = "localhost";
    const Answer answer = send("https://127.0.0.1:" + std::to_string(server->port()), request, tls);
    CHECK(answer.status == 200);
    CHECK(answer.body == "first " + content.substr(100, 1'000'001) + " last");
    request.parts[0].offset_bytes = 2 << 20;
    CHECK(send("https://127.0.0.1:" + std::to_string(server->port()), request, tls).status == 0);
}

TEST_CASE("base64 as RFC 4648 has it, and nothing else") {
    for (const auto& [plain, coded] : {std::pair{"", ""},
                                       {"f", "Zg=="},
                                       {"fo", "Zm8="},
                                       {"foo", "Zm9v"},
                                       {"foob", "Zm9vYg=="},
                                       {"fooba", "Zm9vYmE="},
                                       {"foobar", "Zm9vYmFy"}}) {
        CHECK(to_base64(plain) == coded);
        CHECK(from_base64(coded) == plain);
    }
    CHECK(from_base64("Zm9v\nYmFy") == "foobar");
    for (const char* bad : {"Z", "Zg=", "Zg===", "Z!==", "=Zg=", "Zm9vY"}) {
        INFO(bad);
        CHECK_FALSE(from_base64(bad).has_value());
    }
}

}  // namespace zcdp::net
