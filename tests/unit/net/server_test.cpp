// The server: requests as clients and as attackers write them, bodies, files, deadlines, drains, clients' certificates.
#include "zcdp/net/server.hpp"

#include <fcntl.h>
#include <sys/socket.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <fstream>
#include <future>
#include <thread>

#include "tests/support/doctest.hpp"
#include "tests/support/temp_folder.hpp"
#include "zcdp/net/http.hpp"
#include "zcdp/net/pki.hpp"
#include "zcdp/net/router.hpp"

namespace zcdp::net::server {
namespace {

using Tcp = asio::ip::tcp;
using zcdp::test::TempFolder;

Response text(std::string body) { return {200, "Content-Type: text/plain\r\n", std::move(body)}; }

/// What the tests ask of it: each request's parts come back as text.
Task<Response> echo(Request& request, RequestBody& body) {
    if (request.target == "/throw") throw std::runtime_error("on purpose");
    if (request.target == "/unread") co_return text("unread");
    if (request.target == "/who")
        co_return text(request.peer->address + " " + std::to_string(request.peer->uid) + " " +
                       request.peer->certificate_name);
    if (request.target == "/small-body") {
        auto whole = co_await body.all(10);
        co_return text(whole ? *whole : whole.error().what());
    }
    std::string out = request.method + " " + request.target + "|";
    while (true) {
        const auto piece = co_await body.next();
        if (!piece) co_return text("never sent");
        if (piece->empty()) break;
        out += *piece;
    }
    co_return text(out);
}

struct TestServer {
    explicit TestServer(Handler handler = echo, Options given = {}) : options(std::move(given)) {
        options.requests_refused = &refused;
        if (options.listen.empty()) options.listen = "127.0.0.1:0";
        server = Server::open(options, pool, std::move(handler), log).value();
    }
    ~TestServer() { server.reset(); }
    Logger log{system_clock(), 2, LogLevel::off, LogFormat::text};
    Counter refused;
    asio::thread_pool pool{2};
    Options options;
    std::unique_ptr<Server> server;
};

struct Client {
    explicit Client(const Server& server) { socket.connect({asio::ip::make_address("127.0.0.1"), server.port()}); }
    void send(std::string_view bytes) { asio::write(socket, asio::buffer(bytes)); }
    /// Everything to the end of the connection.
    std::string rest() {
        boost::system::error_code end;
        asio::read(socket, asio::dynamic_buffer(got), end);
        return std::move(got);
    }
    std::string until(std::string_view mark) {
        const size_t length = asio::read_until(socket, asio::dynamic_buffer(got), mark);
        std::string out = got.substr(0, length);
        got.erase(0, length);
        return out;
    }
    asio::io_context loop;
    Tcp::socket socket{loop};
    std::string got;
};

std::string raw(const TestServer& test, std::string_view bytes) {
    Client client(*test.server);
    client.send(bytes);
    return client.rest();
}

int status_of(std::string_view answer) {
    return answer.size() < 12 || !answer.starts_with("HTTP/1.") ? 0 : std::stoi(std::string(answer.substr(9, 3)));
}

std::string body_of(const std::string& answer) {
    const size_t end = answer.find("\r\n\r\n");
    return end == answer.npos ? "" : answer.substr(end + 4);
}

size_t threads_now() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);)
        if (line.starts_with("Threads:")) return std::stoul(line.substr(8));
    return 0;
}

}  // namespace

TEST_CASE("server: requests in one packet are answered in order, at every cut of it") {
    TestServer test;
    const std::string sent =
        "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
        "POST /b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n1;x=y\r\nf\r\n0\r\nT: u\r\n\r\n"
        "\r\nGET /c HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    const std::string head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n";
    const std::string wanted = head + "Content-Length: 11\r\n\r\nPOST /a|abc" + head +
                               "Content-Length: 11\r\n\r\nPOST /b|def" + head +
                               "Connection: close\r\nContent-Length: 7\r\n\r\nGET /c|";
    CHECK(raw(test, sent) == wanted);
    for (size_t cut = 1; cut < sent.size(); cut += 3) {
        Client client(*test.server);
        client.socket.set_option(Tcp::no_delay(true));
        client.send(sent.substr(0, cut));
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        client.send(sent.substr(cut));
        CHECK_MESSAGE(client.rest() == wanted, cut);
    }
    CHECK(test.refused.value() == 0);
}

TEST_CASE("server: what two readers could understand differently is refused, counted, and ends the connection") {
    TestServer test;
    const std::string next = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
    const auto post = [&](const std::string& fields, const std::string& body) {
        return "POST /a HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n" + body + next;
    };
    const std::string chunked = "Transfer-Encoding: chunked\r\n";
    uint64_t refused = 0;
    for (const std::string& bad :
         {post("Content-Length: 3\r\n" + chunked, "0\r\n\r\n"), post(chunked + "Content-Length: 3\r\n", "0\r\n\r\n"),
          post("Content-Length: 3\r\nContent-Length: 4\r\n", "abcd"),
          post("Content-Length: 3\r\nContent-Length: 3\r\n", "abc"), post("Content-Length: 3, 3\r\n", "abc"),
          post("Content-Length: +3\r\n", "abc"), post("Content-Length: 0x3\r\n", "abc"),
          post("Content-Length: -1\r\n", ""), post("Content-Length: 99999999999999999999\r\n", "abc"),
          post("Content-Length:\r\n", "abc"), post("Content-Length : 3\r\n", "abc"),
          post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), post("Transfer-Encoding: identity\r\n", "abc"),
          post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"), post(chunked + chunked, "0\r\n\r\n"),
          post("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"), post("X: a\r\n b: c\r\n", ""),
          post("X: a\r\n\tb\r\n", ""), post(": empty\r\n", ""), post("no colon\r\n", ""), post("X: a\nY: b\r\n", ""),
          post("X: a\rY: b\r\n", ""), post(std::string("X: a\0b\r\n", 8), ""), post("X\x01: a\r\n", ""),
          // chunks
          post(chunked, "g\r\nabc\r\n0\r\n\r\n"), post(chunked, "-1\r\nabc\r\n0\r\n\r\n"),
          post(chunked, "0x3\r\nabc\r\n0\r\n\r\n"), post(chunked, "3\nabc\r\n0\r\n\r\n"),
          post(chunked, "3 \r\nabc\r\n0\r\n\r\n"), post(chunked, "3\r\nabcd\r\n0\r\n\r\n"),
          post(chunked, "3\r\nabc0\r\n\r\n"), post(chunked, "\r\nabc\r\n0\r\n\r\n"),
          post(chunked, "fffffffffffffffff\r\nabc"), post(chunked, "3\r\nabc\n0\r\n\r\n"),
          // lines
          std::string("GET  /a HTTP/1.1\r\n\r\n"), std::string("GET /a b HTTP/1.1\r\n\r\n"),
          std::string("GET /a HTTP/2.0\r\n\r\n"), std::string("GET /a\r\n\r\n"), std::string("G(T /a HTTP/1.1\r\n\r\n"),
          std::string("GET /a HTTP/1.1\r\n X: y\r\n\r\n"),
          std::string("POST /a HTTP/1.0\r\n") + chunked + "\r\n0\r\n\r\n",
          "POST /a HTTP/1.1\r\n" + std::string("Expect: 200-fine\r\nContent-Length: 3\r\n\r\nabc")}) {
        INFO(bad);
        const std::string answer = raw(test, bad);
        CHECK(status_of(answer) == (bad.find("200-fine") == bad.npos ? 400 : 417));
        CHECK(answer.find("smuggled") == answer.npos);
        CHECK(answer.find("Connection: close\r\n") != answer.npos);
        CHECK(test.refused.value() == ++refused);
    }
}

TEST_CASE("server: headers over the limit, and too many of them") {
    TestServer test;
    CHECK(status_of(raw(test, "GET /a HTTP/1.1\r\nX: " + std::string(40'000, 'x') + "\r\n\r\n")) == 431);
    CHECK(status_of(raw(test, "GET /" + std::string(40'000, 'x'))) == 431);
    std::string many = "GET /a HTTP/1.1\r\n";
    for (int i = 0; i < 101; ++i) many += "X: y\r\n";
    CHECK(status_of(raw(test, many + "\r\n")) == 400);
    CHECK(status_of(raw(test, "GET /a HTTP/1.1\r\nConnection: close\r\nX: " + std::string(30'000, 'x') + "\r\n\r\n")) ==
          200);
}

TEST_CASE("server: 100 Continue is said when the body is wanted, and not when it is not") {
    TestServer test;
    Client client(*test.server);
    client.send("PUT /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    CHECK(client.until("\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("abc");
    CHECK(client.until("|abc").ends_with("PUT /a|abc"));
    client.send("PUT /unread HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    const std::string answer = client.rest();
    CHECK(status_of(answer) == 200);
    CHECK(answer.find("Connection: close") != answer.npos);
}

TEST_CASE(
    "server: a body that nobody reads is passed over where it is short, and ends the connection where it is long") {
    Options options;
    options.unread_bytes_max = 1000;
    TestServer test(echo, options);
    const auto post = [](size_t bytes) {
        return "POST /unread HTTP/1.1\r\nContent-Length: " + std::to_string(bytes) + "\r\n\r\n" +
               std::string(bytes, 'x') + "GET /next HTTP/1.1\r\nConnection: close\r\n\r\n";
    };
    CHECK(raw(test, post(1000)).ends_with("GET /next|"));
    const std::string answer = raw(test, post(2'000'000));
    CHECK(status_of(answer) == 200);
    CHECK(answer.ends_with("unread"));
}

TEST_CASE("server: bodies over the limit are answered 413, by length and by chunks, and by a handler's own limit") {
    Options options;
    options.body_bytes_max = 100;
    TestServer test(echo, options);
    CHECK(status_of(raw(test, "POST /a HTTP/1.1\r\nContent-Length: 101\r\n\r\n" + std::string(101, 'x'))) == 413);
    CHECK(status_of(raw(test, "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n" + std::string(101, 'x') +
                                  "\r\n0\r\n\r\n")) == 413);
    CHECK(status_of(raw(test, "POST /small-body HTTP/1.1\r\nContent-Length: 11\r\n\r\n12345678901")) == 413);
    CHECK(raw(test, "POST /small-body HTTP/1.1\r\nConnection: close\r\nContent-Length: 10\r\n\r\n1234567890")
              .ends_with("\r\n\r\n1234567890"));
    CHECK(test.refused.value() == 3);
}

TEST_CASE("server: a header or a body that does not come is given up; an idle connection is closed without a word") {
    Options options;
    options.idle_ms = 300, options.header_ms = 300, options.progress_ms = 300;
    TestServer test(echo, options);
    CHECK(status_of(raw(test, "GET /a HT")) == 408);
    CHECK(status_of(raw(test, "POST /a HTTP/1.1\r\nContent-Length: 5\r\n\r\nabc")) == 408);
    CHECK(raw(test, "").empty());
    Client dripping(*test.server);  // each byte is no new patience
    const auto began = std::chrono::steady_clock::now();
    boost::system::error_code code;
    for (int i = 0; i < 100 && !code; ++i) {
        asio::write(dripping.socket, asio::buffer("G", 1), code);
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        if (dripping.socket.available(code) > 0) break;
    }
    CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(2));
    CHECK(status_of(dripping.rest()) == 408);
}

TEST_CASE("server: a peer that closes its sending half is still answered, one that cuts a body off is not obeyed") {
    TestServer test;
    Client half(*test.server);
    half.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
    half.socket.shutdown(Tcp::socket::shutdown_send);
    CHECK(half.rest().ends_with("GET /a|"));
    Client cut(*test.server);
    cut.send("POST /a HTTP/1.1\r\nContent-Length: 5\r\n\r\nabc");
    cut.socket.shutdown(Tcp::socket::shutdown_send);
    CHECK(status_of(cut.rest()) == 400);
}

TEST_CASE("server: HEAD, HTTP/1.0, and a handler that throws") {
    TestServer test;
    CHECK(raw(test, "HEAD /a HTTP/1.1\r\nConnection: close\r\n\r\n").ends_with("Content-Length: 8\r\n\r\n"));
    CHECK(raw(test, "GET /a HTTP/1.0\r\n\r\n").starts_with("HTTP/1.0 200 OK\r\nContent-Type"));
    CHECK(raw(test, "GET /throw HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\nConnection: close\r\n\r\n").ends_with("GET /b|"));
}

TEST_CASE("server: streamed answers in chunks; what fails midway has no end; HTTP/1.0 gets them as they are") {
    const auto handler = [](Request& request, RequestBody&) -> Task<Response> {
        Response response;
        const bool fails = request.target == "/fails";
        response.body = Producer([fails](BodySink& sink) -> Task<Result<>> {
            const bool gives_up = fails;
            for (int i = 0; i < 100; ++i) ZCDP_CO_CHECK(co_await sink.write(std::string(100'000, 'a')));
            if (gives_up) co_return Error(ErrorKind::failed, "the disk is gone");
            co_return Result<>();
        });
        co_return response;
    };
    TestServer test(handler);
    const std::string whole = raw(test, "GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
    CHECK(body_of(whole).starts_with("186a0\r\naaa"));
    CHECK(whole.ends_with("aaa\r\n0\r\n\r\n"));
    CHECK(raw(test, "GET /fails HTTP/1.1\r\n\r\n").ends_with("aaa\r\n"));
    const std::string old = raw(test, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    CHECK(old.find("chunked") == old.npos);
    CHECK(body_of(old) == std::string(10'000'000, 'a'));
}

TEST_CASE("server: a streamed answer of a known length has no chunks; one of another length ends the connection") {
    const auto handler = [](Request& request, RequestBody&) -> Task<Response> {
        Response response;
        response.body = Producer([](BodySink& sink) -> Task<Result<>> {
            ZCDP_CO_CHECK(co_await sink.write("hello"));
            co_return co_await sink.write("world");
        });
        response.produced_bytes = std::stoul(request.target.substr(1));
        co_return response;
    };
    TestServer test(handler);
    for (const std::string said_bytes : {"10", "11", "9"}) {
        const std::string ask = "GET /" + said_bytes + " HTTP/1.1\r\n";
        const std::string answers = raw(test, ask + "\r\n" + ask + "Connection: close\r\n\r\n");
        const std::string first = "HTTP/1.1 200 OK\r\nContent-Length: " + said_bytes + "\r\n\r\nhelloworld";
        CHECK(answers.starts_with(first));
        CHECK((answers.size() > first.size()) == (said_bytes == "10"));
    }
}

TEST_CASE("server: parts of files, small and large, and one that became shorter") {
    TempFolder folder;
    std::string content;
    for (int i = 0; content.size() < 3'000'000; ++i) content += std::to_string(i) + ",";
    const std::string path = folder.path() + "/file";
    std::ofstream(path) << content;
    const auto handler = [path](Request& request, RequestBody&) -> Task<Response> {
        Response response;
        const uint64_t length = std::stoull(request.target.substr(1));
        response.body = FileRange{Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC)), 1000, length};
        co_return response;
    };
    TestServer test(handler);
    const auto get = [&](uint64_t length) {
        return body_of(raw(test, "GET /" + std::to_string(length) + " HTTP/1.1\r\nConnection: close\r\n\r\n"));
    };
    for (const uint64_t length : {0u, 1u, 32u << 10, (32u << 10) + 1, 1u << 20, 2'500'000u})
        CHECK_MESSAGE(get(length) == content.substr(1000, length), length);
    CHECK(get(content.size()) == content.substr(1000));  // cut off
    CHECK(raw(test, "HEAD /500 HTTP/1.1\r\nConnection: close\r\n\r\n").ends_with("Content-Length: 500\r\n\r\n"));
}

TEST_CASE("server: connections that are idle or read slowly cost no thread, and others are answered meanwhile") {
    TempFolder folder;
    const std::string path = folder.path() + "/file";
    std::ofstream(path) << std::string(20'000'000, 'x');
    const auto handler = [path](Request& request, RequestBody& body) -> Task<Response> {
        if (request.target != "/file") co_return co_await echo(request, body);
        Response response;
        response.body = FileRange{Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC)), 0, 20'000'000};
        co_return response;
    };
    Options options;
    options.connections_max = 1000, options.loops = 2;
    TestServer test(handler, options);
    const size_t before = threads_now();
    std::vector<std::unique_ptr<Client>> clients;
    for (int i = 0; i < 200; ++i) {
        clients.push_back(std::make_unique<Client>(*test.server));
        if (i % 10 == 0) clients.back()->send("GET /file HTTP/1.1\r\nConnection: close\r\n\r\n");
    }
    CHECK(raw(test, "GET /a HTTP/1.1\r\nConnection: close\r\n\r\n").ends_with("GET /a|"));
    CHECK(test.server->connections() >= 200);
    CHECK(threads_now() == before);
    CHECK(body_of(clients[0]->rest()).size() == 20'000'000);
}

TEST_CASE("server: a drain ends idle connections at once and lets an answer end") {
    const auto handler = [](Request&, RequestBody&) -> Task<Response> {
        co_await sleep_ms(300);
        co_return text("through");
    };
    TestServer test(handler);
    Client idle(*test.server), busy(*test.server);
    busy.send("GET /a HTTP/1.1\r\n\r\n");
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    auto drained = std::async(std::launch::async, [&] { test.server->drain(10'000); });
    CHECK(idle.rest().empty());
    const std::string answer = busy.rest();
    CHECK(answer.ends_with("through"));
    CHECK(answer.find("Connection: close") != answer.npos);
    drained.get();
    boost::system::error_code refused;
    asio::io_context loop;
    Tcp::socket late(loop);
    late.connect({asio::ip::make_address("127.0.0.1"), test.server->port()}, refused);
    CHECK(refused);
}

TEST_CASE("server: a drain without patience cuts off who reads nothing") {
    const auto handler = [](Request&, RequestBody&) -> Task<Response> {
        Response response;
        response.body = Producer([](BodySink& sink) -> Task<Result<>> {
            while (true) ZCDP_CO_CHECK(co_await sink.write(std::string(1 << 20, 'x')));
        });
        co_return response;
    };
    TestServer test(handler);
    Client client(*test.server);
    client.send("GET /a HTTP/1.1\r\n\r\n");
    client.until("xxx");
    const auto began = std::chrono::steady_clock::now();
    test.server->drain(0);
    CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(5));
    CHECK(test.server->connections() == 0);
}

TEST_CASE("server: over the limit of connections the next one waits, or is closed") {
    Options options;
    options.connections_max = 1;
    {
        TestServer test(echo, options);
        auto first = std::make_unique<Client>(*test.server);
        Client second(*test.server);
        second.send("GET /second HTTP/1.1\r\nConnection: close\r\n\r\n");
        first->send("GET /first HTTP/1.1\r\n\r\n");
        CHECK(first->until("|").ends_with("GET /first|"));
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        CHECK(second.socket.available() == 0);
        first.reset();
        CHECK(second.rest().ends_with("GET /second|"));
    }
    options.refuse_when_full = true;
    TestServer test(echo, options);
    Client first(*test.server);
    first.send("GET /first HTTP/1.1\r\n\r\n");
    first.until("|");
    CHECK(Client(*test.server).rest().empty());
}

TEST_CASE("server: a unix socket says who asks") {
    TempFolder folder;
    Options options;
    options.listen = "unix:" + folder.path() + "/socket";
    TestServer test(echo, options);
    asio::io_context loop;
    asio::local::stream_protocol::socket socket(loop);
    socket.connect({folder.path() + "/socket"});
    asio::write(socket, asio::buffer(std::string("GET /who HTTP/1.1\r\nConnection: close\r\n\r\n")));
    std::string got;
    boost::system::error_code end;
    asio::read(socket, asio::dynamic_buffer(got), end);
    const std::string uid = std::to_string(::getuid());
    CHECK(got.ends_with("uid " + uid + " " + uid + " "));
}

namespace {

struct Asked {
    int status = 0;
    std::string body;
};

Task<> ask(HttpClient* http, std::string url, Asked* out) {
    net::Request request;
    request.target = "/who";
    auto got = co_await http->send(Endpoint::parse(url).value(), std::move(request), Deadline::in_ms(10'000));
    if (!got) co_return;
    auto body = co_await (*got)->read_all(1 << 20);
    if (body) *out = {(*got)->status(), *body};
}

/// One request with these roots and this identity; status 0: none came back.
Asked ask_with(uint16_t port, const std::string& roots, const KeyPair& identity) {
    Metrics metrics;
    Logger log(system_clock(), 2, LogLevel::off, LogFormat::text);
    asio::io_context loop;
    HttpClientOptions options;
    TlsOptions tls;
    tls.ca_pem = roots, tls.server_name = "svc.example";
    tls.client_cert_pem = identity.certificate_pem, tls.client_key_pem = identity.key_pem;
    options.tls = make_tls_context(std::move(tls));
    const auto client = make_http_client(loop.get_executor(), options, system_clock(), metrics, log);
    Asked out;
    asio::co_spawn(loop, ask(client.get(), "https://127.0.0.1:" + std::to_string(port), &out), [&](std::exception_ptr) {
        client->close();
        loop.stop();
    });
    loop.run();
    return out;
}

}  // namespace

TEST_CASE("server: clients are known by certificates of the given roots, and only by those") {
    const int64_t now = system_clock().unix_s();
    const KeyPair ca = make_ca("servers", now, 100).value(), client_ca = make_ca("clients", now, 100).value();
    const KeyPair own = issue_certificate(ca, "a", {"svc.example"}, now, 10).value();
    const KeyPair known = issue_client_certificate(client_ca, "node-7", now, 10).value();
    const KeyPair stranger = issue_client_certificate(ca, "node-8", now, 10).value();
    Options options;
    options.tls = true;
    options.certificate_pem = own.certificate_pem, options.key_pem = own.key_pem;
    options.client_ca_pem = client_ca.certificate_pem;
    {
        TestServer test(echo, options);
        const uint16_t port = test.server->port();
        CHECK(ask_with(port, ca.certificate_pem, known).body == "127.0.0.1 -1 node-7");
        CHECK(ask_with(port, ca.certificate_pem, {}).body == "127.0.0.1 -1 ");
        CHECK(ask_with(port, ca.certificate_pem, stranger).status == 0);
        const KeyPair no_client = issue_certificate(client_ca, "node-9", {"node-9"}, now, 10).value();
        CHECK(ask_with(port, ca.certificate_pem, no_client).status == 0);
    }
    options.client_certificate_required = true;
    TestServer test(echo, options);
    CHECK(ask_with(test.server->port(), ca.certificate_pem, known).status == 200);
    CHECK(ask_with(test.server->port(), ca.certificate_pem, {}).status == 0);
    REQUIRE(test.server->set_certificate(own.certificate_pem, own.key_pem, ca.certificate_pem).has_value());
    CHECK(ask_with(test.server->port(), ca.certificate_pem, known).status == 0);
    CHECK(ask_with(test.server->port(), ca.certificate_pem, stranger).status == 200);
    REQUIRE(test.server->set_certificate(own.certificate_pem, own.key_pem).has_value());
    CHECK(ask_with(test.server->port(), ca.certificate_pem, stranger).status == 200);
    CHECK_FALSE(test.server->set_certificate(own.certificate_pem, own.key_pem, "no PEM").has_value());
    options.client_ca_pem = "no PEM";
    asio::thread_pool pool(1);
    CHECK_FALSE(Server::open(options, pool, echo, test.log).has_value());
}

TEST_CASE("router: patterns, methods, who may ask, and what has no route") {
    Router router;
    const auto say = [](std::string name) {
        return [name](Request& request, RequestBody&) -> Task<Response> {
            std::string out = name;
            for (const auto& [key, value] : request.parameters) out += " " + key + "=" + value;
            for (const auto& [key, value] : request.query) out += " ?" + key + "=" + value;
            co_return text(out + (request.user.empty() ? "" : " by " + request.user));
        };
    };
    const Check authenticate = [](Request& request) -> Task<std::optional<Response>> {
        request.user = request.header("authorization");
        if (request.user.empty()) co_return Response{401, {}, std::string("who are you")};
        co_return std::nullopt;
    };
    const Check authorise = [](Request& request) -> Task<std::optional<Response>> {
        if (request.user != "root") co_return Response{403, {}, std::string("not you")};
        co_return std::nullopt;
    };
    router.add("GET", "/v1/things", say("list"));
    router.add("POST", "/v1/things/{id}/{action}", say("act"), {authenticate, authorise});
    router.add("GET", "/files/{path...}", say("file"));
    router.add("*", "/any", say("any"));
    TestServer test([&](Request& request, RequestBody& body) { return router.route(request, body); });
    const auto answer = [&](const std::string& line, const std::string& fields = {}) {
        return raw(test, line + " HTTP/1.1\r\nConnection: close\r\n" + fields + "\r\n");
    };
    CHECK(body_of(answer("GET /v1/things?a=b+c&d")) == "list ?a=b c ?d=");
    CHECK(body_of(answer("GET http://host/v1/things")) == "list");
    CHECK(answer("HEAD /v1/things").ends_with("Content-Length: 4\r\n\r\n"));
    CHECK(body_of(answer("GET /files/a/b%2Fc")) == "file path=a/b/c");
    CHECK(body_of(answer("GET /files/")) == "file path=");
    CHECK(body_of(answer("DELETE /any")) == "any");
    CHECK(status_of(answer("POST /v1/things/7/pin")) == 401);
    CHECK(status_of(answer("POST /v1/things/7/pin", "Authorization: guest\r\n")) == 403);
    CHECK(body_of(answer("POST /v1/things/7%2F8/pin", "Authorization: root\r\n")) == "act id=7/8 action=pin by root");
    CHECK(answer("DELETE /v1/things").find("Allow: GET\r\n") != std::string::npos);
    CHECK(status_of(answer("DELETE /v1/things")) == 405);
    for (const char* none : {"GET /v1/things/", "GET /v1", "GET /", "POST /v1/things//pin", "POST /v1/things/7/pin/x"})
        CHECK_MESSAGE(status_of(answer(none)) == 404, none);
    for (const char* bad : {"GET v1/things", "GET *", "GET /%zz", "GET /v1/things?%f"})
        CHECK_MESSAGE(status_of(answer(bad)) == 400, bad);
    router.otherwise(say("else"));
    CHECK(body_of(answer("GET /nowhere")) == "else");
}

}  // namespace zcdp::net::server
