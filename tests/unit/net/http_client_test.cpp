// The HTTP client against servers that say exactly what the test wants, also what no server should.
#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <fstream>
#include <functional>
#include <thread>

#include "tests/support/doctest.hpp"
#include "zcdp/net/http.hpp"
#include "zcdp/net/metrics.hpp"

using namespace zcdp;
using namespace zcdp::net;

namespace {

/// Accepts connections one after another, reads a request from each, and says what the script has for it. An answer
/// that ends in "<close>" closes the connection; one that ends in "<stall>" keeps it open and silent. One that begins
/// with "<early>" comes before the request's body is read, which it never is.
class ScriptedServer {
  public:
    explicit ScriptedServer(std::vector<std::vector<std::string>> connections) : connections_(std::move(connections)) {
        listener_ = ::socket(AF_INET, SOCK_STREAM, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        REQUIRE(::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
        REQUIRE(::listen(listener_, 16) == 0);
        socklen_t length = sizeof address;
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length);
        endpoint = {false, "127.0.0.1", ntohs(address.sin_port)};
        thread_ = std::thread([this] { run(); });
    }
    ~ScriptedServer() {
        ::shutdown(listener_, SHUT_RDWR);
        thread_.join();
        ::close(listener_);
        for (const int socket : stalled_) ::close(socket);
    }
    Endpoint endpoint;
    std::vector<std::string> requests;  ///< their headers; read after the client is done
    std::vector<std::string> bodies;    ///< as long as their headers say

  private:
    void run() {
        for (const auto& answers : connections_) {
            const int socket = ::accept(listener_, nullptr, nullptr);
            if (socket < 0) return;
            serve(socket, answers);
        }
    }
    void serve(int socket, const std::vector<std::string>& answers) {
        for (std::string answer : answers) {
            std::string request;
            char byte;
            while (!request.ends_with("\r\n\r\n"))
                if (::recv(socket, &byte, 1, 0) == 1) request += byte;
                else break;
            if (request.empty()) break;
            requests.push_back(request);
            if (answer.starts_with("<early>")) {
                answer.erase(0, 7);
                if (answer == "<stall>") {
                    stalled_.push_back(socket);
                    return;
                }
                ::send(socket, answer.data(), answer.size(), MSG_NOSIGNAL);
                break;
            }
            bodies.push_back(body_after(socket, request));
            const bool stall = answer.ends_with("<stall>"), close = answer.ends_with("<close>");
            if (stall || close) answer.resize(answer.size() - 7);
            ::send(socket, answer.data(), answer.size(), MSG_NOSIGNAL);
            if (stall) {
                stalled_.push_back(socket);
                return;
            }
            if (close) break;
        }
        ::close(socket);
    }
    static std::string body_after(int socket, const std::string& header) {
        constexpr std::string_view name = "Content-Length: ";
        const size_t at = header.find(name);
        std::string body(at == header.npos ? 0 : std::stoul(header.substr(at + name.size())), '\0');
        for (size_t done = 0; done < body.size();) {
            const ssize_t got = ::recv(socket, body.data() + done, body.size() - done, 0);
            if (got <= 0) return body.substr(0, done);
            done += static_cast<size_t>(got);
        }
        return body;
    }
    std::vector<std::vector<std::string>> connections_;
    std::vector<int> stalled_;
    int listener_ = -1;
    std::thread thread_;
};

struct Answer {
    int status = 0;
    std::string body;
    Error error;
    bool failed = false;
};

struct Fixture {
    asio::io_context context{1};
    Metrics metrics;
    Logger log{system_clock(), 2, LogLevel::off, LogFormat::text};
    HttpClientOptions options;
    std::unique_ptr<HttpClient> client;

    HttpClient& http() {
        if (!client) client = make_http_client(context.get_executor(), options, system_clock(), metrics, log);
        return *client;
    }
    static Task<> one(HttpClient* http, Endpoint endpoint, Request request, Deadline deadline, Answer* out) {
        auto response = co_await http->send(std::move(endpoint), std::move(request), deadline);
        if (!response) {
            out->failed = true, out->error = response.error();
            co_return;
        }
        out->status = (*response)->status();
        auto body = co_await (*response)->read_all(1 << 20);
        if (body) out->body = *body;
        else out->failed = true, out->error = body.error();
    }
    Answer get(const Endpoint& endpoint, uint64_t deadline_ms = 5000, const std::string& method = "GET") {
        Request request;
        request.method = method;
        return send(endpoint, request, deadline_ms);
    }
    Answer send(const Endpoint& endpoint, const Request& request, uint64_t deadline_ms = 5000) {
        Answer answer;
        asio::co_spawn(context, one(&http(), endpoint, request, Deadline::in_ms(deadline_ms), &answer),
                       [](std::exception_ptr e) {
                           if (e) std::rethrow_exception(e);
                       });
        context.restart();
        context.run();
        return answer;
    }
};

/// A file without a name, full of bytes that tell where they are.
struct FilledFile {
    explicit FilledFile(size_t size_bytes) : content(size_bytes, '\0') {
        for (size_t i = 0; i < size_bytes; ++i) content[i] = static_cast<char>(i * 7 + i / 251);
        const std::string folder = ::access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
        auto file = system_fs().open(AT_FDCWD, folder.c_str(), O_TMPFILE | O_RDWR, 0600);
        REQUIRE(file);
        REQUIRE(system_fs().write(file->get(), std::as_bytes(std::span(content)), 0));
        fd = std::make_shared<const Fd>(std::move(*file));
    }
    std::string content;
    std::shared_ptr<const Fd> fd;
};

Request with_file(const std::shared_ptr<const Fd>& file, uint64_t offset, uint64_t length) {
    Request request;
    request.method = "POST";
    request.parts.push_back({std::make_shared<const std::string>("<first>"), file, offset, length});
    request.parts.push_back({std::make_shared<const std::string>("<last>"), nullptr, 0, 0});
    return request;
}

std::string ok(const std::string& body) {
    return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

}  // namespace

TEST_CASE_FIXTURE(Fixture, "answers come over one kept connection") {
    ScriptedServer server({{ok("one"), ok(""), ok("three")}});
    CHECK(get(server.endpoint).body == "one");
    CHECK(get(server.endpoint).body.empty());
    CHECK(get(server.endpoint).body == "three");
    CHECK(metrics.counter(net::metric::connections).value() == 1);
    CHECK(server.requests.size() == 3);
    CHECK(server.requests[0].find("Host: 127.0.0.1:") != std::string::npos);
}

TEST_CASE_FIXTURE(Fixture, "a body of parts goes out as one, in their order, bytes and parts of files") {
    ScriptedServer server({{ok("one"), ok("two")}});
    const FilledFile file(300'000);
    Request request = with_file(file.fd, 1000, 250'000);
    const std::string want = "<first>" + file.content.substr(1000, 250'000) + "<last>";
    CHECK(request.body_bytes() == want.size());
    CHECK(send(server.endpoint, request).body == "one");
    request.body = "before ";
    CHECK(send(server.endpoint, request).body == "two");  // the same parts again
    client.reset();
    REQUIRE(server.bodies.size() == 2);
    CHECK(server.bodies[0] == want);
    CHECK(server.bodies[1] == "before " + want);
    CHECK(metrics.counter(net::metric::connections).value() == 1);
}

TEST_CASE_FIXTURE(Fixture, "a file that became shorter than was said ends the request with an error of its own") {
    ScriptedServer server({{ok("never")}});
    const FilledFile file(1000);
    const Answer answer = send(server.endpoint, with_file(file.fd, 500, 501));
    REQUIRE(answer.failed);
    CHECK(answer.error.kind() == ErrorKind::source_changed);
    client.reset();
}

TEST_CASE_FIXTURE(Fixture,
                  "an answer that comes before all of a request was read is the answer, and ends the connection") {
    const std::string refusal = "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno";
    ScriptedServer server({{"<early>" + refusal}, {ok("next")}});
    const FilledFile file(64 << 20);
    const Answer answer = send(server.endpoint, with_file(file.fd, 0, 64 << 20));
    CHECK(answer.status == 413);
    CHECK(answer.body == "no");
    CHECK(get(server.endpoint).body == "next");
    CHECK(metrics.counter(net::metric::connections).value() == 2);
}

TEST_CASE_FIXTURE(Fixture, "a peer that takes nothing of a request is given up after as long as it may be silent") {
    ScriptedServer server({{"<early><stall>"}});
    const FilledFile file(64 << 20);
    Request request = with_file(file.fd, 0, 64 << 20);
    request.silence_ms = 300;
    const Answer answer = send(server.endpoint, request, 60'000);
    REQUIRE(answer.failed);
    CHECK(answer.error.kind() == ErrorKind::timeout);
    client.reset();
}

TEST_CASE_FIXTURE(Fixture, "a kept connection that the peer has closed is replaced without anybody noticing") {
    ScriptedServer server({{ok("one")}, {ok("two")}});
    CHECK(get(server.endpoint).body == "one");
    CHECK(get(server.endpoint).body == "two");
}

TEST_CASE_FIXTURE(Fixture, "a fresh connection that is closed without an answer is an error, and not asked again") {
    ScriptedServer server({{"<close>"}, {ok("never")}});
    const Answer answer = get(server.endpoint);
    REQUIRE(answer.failed);
    CHECK(answer.error.kind() == ErrorKind::unreachable);
    client.reset();
    CHECK(server.requests.size() == 1);
    get({false, "127.0.0.1", server.endpoint.port});  // lets the server's second accept end
}

TEST_CASE_FIXTURE(Fixture, "chunked bodies are put together, and their trailers dropped") {
    ScriptedServer server(
        {{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nT: v\r\n\r\n",
          ok("next")}});
    CHECK(get(server.endpoint).body == "hello world");
    CHECK(get(server.endpoint).body == "next");
    CHECK(metrics.counter(net::metric::connections).value() == 1);
}

TEST_CASE_FIXTURE(Fixture, "a body that ends early is an error that says so") {
    ScriptedServer server({{"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort<close>"}});
    const Answer answer = get(server.endpoint);
    REQUIRE(answer.failed);
    CHECK(answer.error.what().find("cut off") != std::string::npos);
}

TEST_CASE_FIXTURE(Fixture, "bytes behind the stated length are never delivered, and end the connection") {
    ScriptedServer server({{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabEXTRA"}, {ok("fresh")}});
    CHECK(get(server.endpoint).body == "ab");
    CHECK(get(server.endpoint).body == "fresh");
    CHECK(metrics.counter(net::metric::connections).value() == 2);
}

TEST_CASE_FIXTURE(Fixture, "what is no HTTP, or breaks its rules, is refused") {
    const std::vector<std::string> wrong = {
        "SSH-2.0-OpenSSH_9.2\r\n\r\n<close>",
        "HTTP/1.1 20 OK\r\n\r\n<close>",
        "HTTP/2 200 OK\r\n\r\n<close>",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nab<close>",
        "HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\nab<close>",
        "HTTP/1.1 200 OK\r\nContent-Length: 2,\r\n\r\nab<close>",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n<close>",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n<close>",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n<close>",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n<close>",
        "HTTP/1.1 200 OK\r\n folded: x\r\n\r\n<close>",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n<close>",
        "HTTP/1.1 200 OK\r\nA: " + std::string(40'000, 'x') + "\r\n\r\n<close>",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n<close>",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n<close>",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n;x\r\n<close>",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n<close>",
    };
    std::string many = "HTTP/1.1 200 OK\r\n";
    for (int i = 0; i < 200; ++i) many += "H" + std::to_string(i) + ": v\r\n";
    std::vector<std::vector<std::string>> script;
    for (const auto& answer : wrong) script.push_back({answer});
    script.push_back({many + "\r\n<close>"});
    ScriptedServer server(script);
    for (size_t i = 0; i < script.size(); ++i) {
        CAPTURE(script[i][0].substr(0, 80));
        CHECK(get(server.endpoint).failed);
    }
}

TEST_CASE_FIXTURE(Fixture, "what servers write in their own way, and other clients take, is taken") {
    const std::vector<std::string> odd = {
        "HTTP/1.1 200 OK\nA: b\nContent-Length: 2\n\nab",
        "HTTP/1.1 200 OK\r\nA: b\nContent-Length: 2\r\n\nab",
        "HTTP/1.1 200 OK\r\nSet-Cookie: a;\r\n\tpath=/\r\n  ; secure\r\nContent-Length:\r\n 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\nContent-Length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nContent-Length: 77\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n<close>",
        "HTTP/1.1 200 OK\r\nA: " + std::string(100'000, 'x') + "\r\nContent-Length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n000000000000000000000000000001 ;x\r\na\r\n1\nb\n0000\nT: "
        "v\n\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=\"y\"\nab\r\n0;last\r\n\r\n",
    };
    options.limits.header_bytes_max = 200 << 10;
    for (const std::string& answer : odd) {
        ScriptedServer server({{answer}});
        CAPTURE(answer.substr(0, 120));
        const Answer got = get(server.endpoint);
        CHECK_MESSAGE(!got.failed, got.error.line());
        CHECK(got.body == "ab");
        client.reset();
    }
}

TEST_CASE_FIXTURE(Fixture, "a peer that says nothing is given up at the deadline, before or within the body") {
    ScriptedServer server({{"<stall>"}, {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab<stall>"}});
    for (int i = 0; i < 2; ++i) {
        const auto began = std::chrono::steady_clock::now();
        const Answer answer = get(server.endpoint, 300);
        REQUIRE(answer.failed);
        CHECK(answer.error.kind() == ErrorKind::timeout);
        CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(3));
    }
}

/// Whether the kernel is to probe the connection to this port on this machine while it is silent.
bool is_probed(uint16_t port) {
    const std::string peer = fmt::format("0100007F:{:04X} 01 ", port);
    std::ifstream connections("/proc/net/tcp");
    for (std::string line; std::getline(connections, line);)
        if (line.find(peer) != std::string::npos) return line.find(" 02:", line.find(peer)) != std::string::npos;
    return false;
}

TEST_CASE_FIXTURE(Fixture, "a connection is probed while it is silent, where that is wanted") {
    for (const uint32_t probe_timeout_ms : {0, 4'000}) {
        ScriptedServer server({{"<stall>"}});
        bool probed = false;
        options.limits.probe_timeout_ms = probe_timeout_ms, client.reset();
        std::thread look([&] {
            std::this_thread::sleep_for(std::chrono::milliseconds(200));
            probed = is_probed(server.endpoint.port);
        });
        CHECK(get(server.endpoint, 500).failed);
        look.join();
        CHECK(probed == (probe_timeout_ms > 0));
    }
}

TEST_CASE_FIXTURE(Fixture, "a body slower than the minimum rate is given up long before the deadline") {
    options.limits.min_rate_window_ms = 200;
    ScriptedServer server({{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab<stall>"}});
    const Answer answer = get(server.endpoint, 60'000);
    REQUIRE(answer.failed);
    CHECK(answer.error.kind() == ErrorKind::timeout);
    CHECK(answer.error.what().find("bytes/s") != std::string::npos);
}

TEST_CASE_FIXTURE(Fixture, "HEAD, 204 and 304 have no body whatever their length says; 100 is passed over") {
    ScriptedServer server(
        {{"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\n",
          "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n" + ok("after")}});
    CHECK(get(server.endpoint, 5000, "HEAD").status == 200);
    CHECK(get(server.endpoint).status == 204);
    CHECK(get(server.endpoint).status == 304);
    CHECK(get(server.endpoint).body == "after");
}

TEST_CASE_FIXTURE(Fixture, "nobody listening, no such name, and https without roots each say what is wrong") {
    CHECK(get({false, "127.0.0.1", 1}).error.what().find("refused") != std::string::npos);
    CHECK(get({false, "no-such-host.invalid", 80}).failed);
    CHECK(get({true, "127.0.0.1", 1}).failed);
}

TEST_CASE("endpoints are read strictly and written canonically") {
    CHECK(Endpoint::parse("http://host")->url() == "http://host");
    CHECK(Endpoint::parse("https://host:443/")->url() == "https://host");
    CHECK(Endpoint::parse("https://host:8443")->authority() == "host:8443");
    CHECK(Endpoint::parse("http://[::1]:9000")->authority() == "[::1]:9000");
    CHECK(Endpoint::parse("HTTPS://Host.Example:443")->url() == "https://host.example");
    for (const char* wrong :
         {"", "host", "ftp://host", "http://", "http://user@host", "http://host:0", "http://host:70000",
          "http://host:x", "http://host/path", "http://ho st", "http://[::1", "http://[zz]"})
        CHECK_MESSAGE(!Endpoint::parse(wrong), wrong);
}

TEST_CASE("a service may lie below a path: encoded as it was written, without the slash at its end") {
    CHECK(BaseUrl::parse("https://host")->url() == "https://host");
    CHECK(BaseUrl::parse("https://host:443/")->path.empty());
    CHECK(BaseUrl::parse("http://[::1]:9000/a/b//")->url() == "http://[::1]:9000/a/b");
    CHECK(BaseUrl::parse("https://Host/Storage/v1/s3")->url() == "https://host/Storage/v1/s3");
    CHECK(BaseUrl::parse("https://host/a b/%2f/c+d@e/\xc3\xa9")->path == "/a%20b/%2f/c+d@e/%C3%A9");
    CHECK(BaseUrl::parse("https://host/a")->endpoint == Endpoint::parse("https://host").value());
    for (const char* wrong : {"", "host/a", "https:///a", "https://user@host/a", "https://host/a?b", "https://host/?b",
                              "https://host/a#b", "https://host?a", "https://host/a/../b", "https://host/%2e%2E",
                              "https://host/./a", "https://host/a%", "https://host/a%2", "https://host/a\nb"})
        CHECK_MESSAGE(BaseUrl::parse(wrong).error().kind() == ErrorKind::usage, wrong);
    CHECK(BaseUrl::parse("https://host/a?token=secret").error().line().find("secret") == std::string::npos);
}
