// What a member is answered by others that answer badly.
#include "zcdp/swarm/peer_client.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "tests/support/doctest.hpp"
#include "zcdp/base/base64.hpp"
#include "zcdp/net/server.hpp"

namespace zcdp::swarm {
namespace {

using net::server::BodySink;
using net::server::Response;

constexpr uint64_t kPieces = 11, kSizeBytes = 4096;
constexpr net::Limits kImpatient{
    .header_timeout_ms = 300, .min_bytes_per_second = 64 * 1024, .min_rate_window_ms = 300};

/// A member that answers everything so.
struct Answering {
    explicit Answering(std::function<Task<Response>()> answer) {
        const auto handler = [answer = std::move(answer)](net::server::Request&, net::server::RequestBody&) {
            return answer();
        };
        server = net::server::Server::open({.listen = "127.0.0.1:0"}, pool, handler, log).value();
    }
    ~Answering() { server.reset(); }

    /// What came of asking it so; `ask` is given a client of its loop.
    template <class T>
    Result<T> heard(const std::function<Task<Result<T>>(PeerClient&, net::Endpoint)>& ask) {
        asio::io_context loop;
        const auto http =
            net::make_http_client(loop.get_executor(), {.limits = kImpatient}, system_clock(), metrics, log);
        PeerClient client(*http, "swarm", kPieces);
        Result<T> result = Error(ErrorKind::failed, "the loop ended early");
        asio::co_spawn(loop, ask(client, {false, "127.0.0.1", server->port()}),
                       [&](std::exception_ptr, Result<T> came) {
                           result = std::move(came);
                           http->close();
                           loop.stop();
                       });
        loop.run_for(std::chrono::seconds(20));
        return result;
    }
    ErrorKind piece() {
        const auto came = heard<std::string>(
            [](PeerClient& client, net::Endpoint member) { return read_piece(client, std::move(member)); });
        return came ? ErrorKind::usage : came.error().kind();
    }
    ErrorKind news() {
        const auto came = heard<std::optional<News>>(
            [](PeerClient& client, net::Endpoint member) { return client.news(std::move(member), 0, 100); });
        return came ? ErrorKind::usage : came.error().kind();
    }
    bool has_no_other_news(uint64_t wait_ms) {
        const auto came = heard<std::optional<News>>(
            [wait_ms](PeerClient& client, net::Endpoint member) { return client.news(std::move(member), 0, wait_ms); });
        return came && !*came;
    }
    static Task<Result<std::string>> read_piece(PeerClient& client, net::Endpoint member) {
        ZCDP_CO_TRY(auto answer, co_await client.piece(std::move(member), 0, kSizeBytes));
        co_return co_await answer.body->read_all(kSizeBytes);
    }

    Logger log{system_clock(), 2, LogLevel::off, LogFormat::text};
    Metrics metrics;
    asio::thread_pool pool{1};
    std::unique_ptr<net::server::Server> server;
};

Task<Response> says(int status, std::string body, std::string headers) {
    co_return Response{status, std::move(headers), std::move(body)};
}

Answering saying(int status, std::string body, std::string headers = "") {
    return Answering([=] { return says(status, body, headers); });
}

Task<Response> waits() {
    co_await sleep_ms(2'000);
    co_return Response{404, "", ""};
}

Task<Response> has_none_after(uint64_t wait_ms) {
    co_await sleep_ms(wait_ms);
    co_return Response{204, "", ""};
}

Task<Result<>> drip(BodySink& sink) {
    for (int i = 0; i < 100; ++i) {
        ZCDP_CO_CHECK(co_await sink.write("x"));
        co_await sleep_ms(50);
    }
    co_return Result<>();
}

Task<Response> drips() { co_return Response{200, "", net::server::Producer(drip)}; }

Task<Result<>> break_off(BodySink& sink) {
    ZCDP_CO_CHECK(co_await sink.write("the first bytes"));
    co_return Error(ErrorKind::failed, "on purpose");
}

Task<Response> breaks_off() { co_return Response{200, "", net::server::Producer(break_off)}; }

}  // namespace

TEST_CASE("a piece of another length than it has is wrong before a byte of it is read") {
    for (const uint64_t length : {uint64_t{0}, uint64_t{1}, kSizeBytes - 1, kSizeBytes + 1, 8 * kSizeBytes}) {
        INFO(length);
        CHECK(saying(200, std::string(length, 'x')).piece() == ErrorKind::corrupt);
    }
}

TEST_CASE("a claim that is no base64 is wrong") {
    CHECK(saying(200, std::string(kSizeBytes, 'x'), "Zcdp-Claim: ***\r\n").piece() == ErrorKind::corrupt);
}

TEST_CASE("who has nothing, or too much to do, or refuses, says so") {
    CHECK(saying(404, "no\n").piece() == ErrorKind::not_found);
    CHECK(saying(503, "later\n").piece() == ErrorKind::busy);
    CHECK(saying(403, "who are you\n").piece() == ErrorKind::denied);
    CHECK(saying(500, "oh\n").piece() == ErrorKind::failed);
}

TEST_CASE("who says nothing, or one byte after the other, is too slow") {
    CHECK(Answering(waits).piece() == ErrorKind::timeout);
    CHECK(Answering(drips).piece() == ErrorKind::timeout);
}

TEST_CASE("who has no other news may be silent for as long as it was told to wait") {
    constexpr uint64_t kWaitMs = 2 * kImpatient.header_timeout_ms;
    CHECK(Answering([] { return has_none_after(kWaitMs); }).has_no_other_news(kWaitMs));
}

TEST_CASE("who breaks off in the middle has not given a piece") {
    const ErrorKind kind = Answering(breaks_off).piece();
    CHECK((kind == ErrorKind::unreachable || kind == ErrorKind::failed));
}

TEST_CASE("news that are none, of other pieces, or without an end, are wrong") {
    const size_t wanted = News::encoded_bytes(kPieces);
    CHECK(saying(200, "").news() == ErrorKind::corrupt);
    CHECK(saying(200, std::string(wanted, '\xff')).news() == ErrorKind::corrupt);
    CHECK(saying(200, std::string(wanted - 1, '\0')).news() == ErrorKind::corrupt);
    CHECK(saying(200, std::string(wanted + 1, '\0')).news() == ErrorKind::refused);
    CHECK(saying(200, std::string(1 << 20, '\0')).news() == ErrorKind::refused);
    News other;
    other.have = other.there = other.drawing = HaveMap(kPieces + 1);
    CHECK(saying(200, other.encode()).news() == ErrorKind::corrupt);
    CHECK(Answering(drips).news() == ErrorKind::timeout);
}

}  // namespace zcdp::swarm
