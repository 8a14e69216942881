// What identity services answer, and credentials that end.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include "src/origin/remote/refreshing.hpp"
#include "src/origin/remote/token.hpp"
#include "tests/support/doctest.hpp"

namespace zcdp::origin {
namespace {

constexpr int64_t kStartS = 1'000'000, kSecond = 1'000'000'000;

/// A service whose tokens last `lasts_s`; it fails while `fails`.
struct Service {
    ManualClock clock{kStartS * kSecond};
    Logger log{clock, 2, LogLevel::error, LogFormat::text};
    Refreshing<Token> tokens{log};
    asio::io_context loop{1};
    int fetches = 0;
    int64_t lasts_s = 3600;
    bool fails = false;
    uint64_t takes_ms = 0;

    Task<Result<Token>> fetch() {
        const int number = ++fetches;
        if (takes_ms > 0) co_await sleep_ms(takes_ms);
        if (fails) co_return Error(ErrorKind::timeout, "no answer to " + std::to_string(number));
        co_return Token{"token" + std::to_string(number), clock.unix_s() + lasts_s};
    }
    Task<void> ask(Result<Token>* into) {
        auto once = [this] { return fetch(); };
        *into = co_await tokens.get(clock, 0, once);
    }
    /// What `count` who ask at once are given.
    std::vector<std::string> get(size_t count = 1) {
        std::vector<Result<Token>> answers(count, Result<Token>(Error()));
        for (auto& answer : answers) asio::co_spawn(loop, ask(&answer), asio::detached);
        loop.restart();
        loop.run();
        std::vector<std::string> out;
        for (const auto& answer : answers) out.push_back(answer ? answer->bearer : answer.error().what());
        return out;
    }
    void pass(int64_t seconds) { clock.advance_ns(seconds * kSecond); }
};

using Words = std::vector<std::string>;

}  // namespace

TEST_CASE("a token's end by the three ways to say it; an end that is past is not made good") {
    CHECK(parse_token(R"({"access_token":"T","expires_on":"5000"})", 1000).value().expires_unix_s == 5000);
    CHECK(parse_token(R"({"access_token":"T","expires_in":"60","expires_on":"5000"})", 1000).value().expires_unix_s ==
          1060);
    CHECK(parse_token(R"({"access_token":"T"})", 1000).value().expires_unix_s == 4600);
    CHECK(parse_token(R"({"access_token":"T","expires_in":0})", 1000).value().expires_unix_s == 1000);
    CHECK(parse_token(R"({"access_token":"T","expires_on":"18446744073709551615"})", 1000).value().expires_unix_s ==
          1000 + (1 << 30));
    CHECK(parse_token(R"({"accessToken":"T","expireTime":"2001-01-01T00:00:00Z"})", 2'000'000'000)
              .value()
              .expires_unix_s == 978307200);
}

TEST_CASE("what may stand in a header") {
    CHECK(is_header_word("eyJ0.x-_~+/="));
    for (const std::string& bad : {std::string(), std::string("a b"), std::string("a\nb"), std::string("a\r"),
                                   std::string("\x7f"), std::string("\xc3\xa9"), std::string(70'000, 'x')})
        CHECK(!is_header_word(bad));
}

TEST_CASE("why a service refuses, in its own word") {
    CHECK(refusal_word(R"({"error":"invalid_grant","error_description":"secret"})") == "invalid_grant");
    CHECK(refusal_word(R"({"Code":"AssumeRoleUnauthorizedAccess"})") == "AssumeRoleUnauthorizedAccess");
    CHECK(refusal_word(
              "<ErrorResponse><Error><Code>ExpiredTokenException</Code><Message>m</Message></Error></ErrorResponse>") ==
          "ExpiredTokenException");
    CHECK(refusal_word("<html><p>no</p></html>") == "");
    CHECK(refusal_word(R"({"error":"a\nb"})") == "a\\x0ab");
}

TEST_CASE(
    "a machine's own service that gives nothing: there may be none, unless it has given before or wants to wait") {
    const Error timeout(ErrorKind::timeout, "in time", "http://169.254.169.254"),
        later(ErrorKind::throttled, "HTTP 503", "http://169.254.169.254");
    CHECK(none_found(timeout, false, "do").kind() == ErrorKind::denied);
    CHECK(none_found(timeout, false, "do").line().find("http://169.254.169.254") != std::string::npos);
    CHECK(none_found(timeout, true, "do").kind() == ErrorKind::timeout);
    CHECK(none_found(later, false, "do").kind() == ErrorKind::throttled);
}

TEST_CASE("credentials are fetched once for all, and again some minutes before their end") {
    Service service;
    service.takes_ms = 5;
    CHECK(service.get(3) == Words{"token1", "token1", "token1"});
    service.pass(3200);
    CHECK(service.get() == Words{"token1"});
    service.pass(200);
    CHECK(service.get(3) == Words{"token2", "token1", "token1"});
    CHECK(service.fetches == 2);
}

TEST_CASE("short-lived ones are used to their end, not fetched with each request") {
    Service service;
    service.lasts_s = 60;
    for (int i = 0; i < 50; ++i) service.get();
    CHECK(service.fetches == 1);
    service.pass(11);
    for (int i = 0; i < 50; ++i) service.get();
    CHECK(service.fetches == 2);
    service.lasts_s = 3;
    service.pass(60);
    CHECK(service.get() == Words{"token3"});
    service.pass(2);
    CHECK(service.get() == Words{"token3"});
    service.pass(1);
    CHECK(service.get() == Words{"token4"});
}

TEST_CASE("those that come ended are tried for a while; the server has a say") {
    Service service;
    service.lasts_s = -5;
    for (int i = 0; i < 50; ++i) CHECK(service.get() == Words{"token1"});
    service.pass(11);
    CHECK(service.get() == Words{"token2"});
    service.tokens.drop("token2");
    CHECK(service.get() == Words{"token3"});
}

TEST_CASE(
    "a service that fails: what holds is used and the service left alone for a while; else everybody who waits hears "
    "of it") {
    Service service;
    CHECK(!service.tokens.has_given());
    service.get();
    CHECK(service.tokens.has_given());
    service.fails = true;
    service.pass(3400);
    for (int i = 0; i < 50; ++i) CHECK(service.get() == Words{"token1"});
    CHECK(service.fetches == 2);
    service.pass(300);
    service.takes_ms = 50;
    CHECK(service.get(4) == Words(4, "no answer to 3"));
    service.fails = false;
    CHECK(service.get(2) == Words(2, "token4"));
}

}  // namespace zcdp::origin
