#include "zcdp/transfer/loop.hpp"

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>

#include "tests/support/doctest.hpp"

using namespace zcdp;
using transfer::Loop;

namespace {

Task<> sleeps(std::atomic<bool>* cancelled) {
    try {
        co_await sleep_ms(600'000);
    } catch (...) {
        *cancelled = true;
        throw;
    }
}

Task<> fails() {
    co_await sleep_ms(1);
    throw std::runtime_error("as the test wants it");
}

}  // namespace

TEST_CASE("a loop that is stopped cancels its tasks at once, from whichever thread") {
    Loop loop;
    std::atomic<bool> first{false}, second{false};
    loop.spawn(sleeps(&first));
    loop.spawn(sleeps(&second));
    std::stop_source stop;
    const auto began = std::chrono::steady_clock::now();
    SUBCASE("by another thread") {
        const std::jthread other([&stop] {
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
            stop.request_stop();
        });
        loop.run(stop.get_token());
    }
    SUBCASE("before it runs") {
        stop.request_stop();
        loop.run(stop.get_token());
    }
    SUBCASE("by one of its tasks") {
        const auto stops = [](std::stop_source* source) -> Task<> {
            co_await sleep_ms(1);
            source->request_stop();
        };
        loop.spawn(stops(&stop));
        loop.run(stop.get_token());
    }
    CHECK(first);
    CHECK(second);
    CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(60));
}

TEST_CASE("a task on a pool when the loop is stopped is waited for, and cancelled at its next await") {
    asio::thread_pool pool(1);
    Loop loop;
    std::stop_source stop;
    bool finished = false, went_on = false;
    const auto works = [](asio::thread_pool* threads, std::stop_source* source, bool* done, bool* on) -> Task<> {
        co_await offload(*threads, [source, done] {
            source->request_stop();
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
            *done = true;
        });
        co_await sleep_ms(600'000);
        *on = true;
    };
    loop.spawn(works(&pool, &stop, &finished, &went_on));
    loop.run(stop.get_token());
    CHECK(finished);
    CHECK_FALSE(went_on);
    pool.join();
}

TEST_CASE("what is not cancellable ends by itself, and an exception of a task is thrown") {
    Loop loop;
    std::stop_source stop;
    bool ended = false;
    const auto takes_its_time = [](bool* out) -> Task<> {
        co_await sleep_ms(30);
        *out = true;
    };
    loop.spawn(takes_its_time(&ended), /*cancellable=*/false);
    loop.spawn(fails());
    stop.request_stop();
    SUBCASE("cancelled before it failed") {
        loop.run(stop.get_token());
        CHECK(ended);
    }
    SUBCASE("not stopped") {
        CHECK_THROWS_WITH(loop.run({}), "as the test wants it");
        CHECK(ended);
    }
}
