#include "zcdp/base/stop.hpp"

#include <poll.h>

#include <chrono>
#include <thread>

#include "tests/support/doctest.hpp"

using namespace zcdp;

namespace {

int64_t elapsed_ms(std::chrono::steady_clock::time_point since) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - since).count();
}

bool is_readable(const StopFd& fd) {
    pollfd ready{fd.get(), POLLIN, 0};
    return ::poll(&ready, 1, 0) == 1 && (ready.revents & POLLIN) != 0;
}

}  // namespace

TEST_CASE("a sleep ends when its time has come, and at once when it is stopped") {
    std::stop_source source;
    auto began = std::chrono::steady_clock::now();
    CHECK_FALSE(wait_for_stop(source.get_token(), 20));
    CHECK(elapsed_ms(began) >= 20);
    SUBCASE("by another thread") {
        began = std::chrono::steady_clock::now();
        const std::jthread other([&source] { source.request_stop(); });
        CHECK(wait_for_stop(source.get_token(), 60'000));
        CHECK(elapsed_ms(began) < 30'000);
    }
    SUBCASE("before it began") {
        source.request_stop();
        began = std::chrono::steady_clock::now();
        CHECK(wait_for_stop(source.get_token(), 60'000));
        CHECK(elapsed_ms(began) < 30'000);
    }
    SUBCASE("a token that nobody stops is a plain sleep") { CHECK_FALSE(wait_for_stop({}, 1)); }
}

TEST_CASE("a StopFd is readable once stopped, for every look, and also when it was stopped before") {
    std::stop_source source;
    {
        const StopFd first(source.get_token()), second(source.get_token());
        CHECK_FALSE(is_readable(first));
        const std::jthread other([&source] { source.request_stop(); });
        pollfd ready{first.get(), POLLIN, 0};
        CHECK(::poll(&ready, 1, 60'000) == 1);
        CHECK(is_readable(first));
        pollfd also{second.get(), POLLIN, 0};
        CHECK(::poll(&also, 1, 60'000) == 1);
    }
    const StopFd late(source.get_token());
    CHECK(is_readable(late));
    const StopFd never{std::stop_token()};
    CHECK_FALSE(is_readable(never));
}
