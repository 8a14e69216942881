#include "zcdp/base/helper_program.hpp"

#include <signal.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>

#include "tests/support/doctest.hpp"

namespace zcdp {
namespace {

using std::chrono::steady_clock;

struct Outcome {
    Result<std::string> result = Error(ErrorKind::failed, "it did not end");
    int ticks = 0;  ///< of another coroutine on the same loop meanwhile
    bool cancelled = false;
    double seconds = 0;
};

Task<> tick(Outcome* out) {
    while (true) {
        co_await sleep_ms(5);
        ++out->ticks;
    }
}

/// `cancel_after_ms`: 0 for never.
Outcome run(const std::string& script, HelperLimits limits, uint64_t cancel_after_ms = 0) {
    Outcome out;
    asio::io_context loop(1);
    asio::cancellation_signal signal;
    asio::steady_timer timer(loop);
    const auto began = steady_clock::now();
    asio::co_spawn(loop, tick(&out), [](std::exception_ptr) {});
    asio::co_spawn(
        loop, run_helper_program({"/bin/sh", "-c", script}, "the helper", limits),
        asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr error, Result<std::string> result) {
            out.cancelled = error != nullptr;
            out.result = std::move(result);
            loop.stop();
        }));
    if (cancel_after_ms > 0) {
        timer.expires_after(std::chrono::milliseconds(cancel_after_ms));
        timer.async_wait([&](const boost::system::error_code&) { signal.emit(asio::cancellation_type::terminal); });
    }
    loop.run();
    out.seconds = std::chrono::duration<double>(steady_clock::now() - began).count();
    return out;
}

}  // namespace

TEST_CASE("a helper program's output, and that of its last moment") {
    CHECK(run("printf hello; printf there >&2", {100, 60'000}).result.value() == "hello");
    CHECK(run("head -c 65536 /dev/zero", {65536, 60'000}).result.value().size() == 65536);
    CHECK(run("true", {0, 60'000}).result.value().empty());
}

TEST_CASE("a helper program that hangs is ended in its time, and the loop goes on meanwhile") {
    const Outcome out = run("sleep 300", {100, 300});
    REQUIRE_FALSE(out.result.has_value());
    CHECK(out.result.error().kind() == ErrorKind::timeout);
    CHECK(out.result.error().object() == "the helper");
    CHECK(out.seconds < 5);
    CHECK(out.ticks > 5);
}

TEST_CASE("a helper program whose task is cancelled is ended at once") {
    const Outcome out = run("sleep 300", {100, 60'000}, 100);
    CHECK(out.cancelled);
    CHECK(out.seconds < 2);
}

TEST_CASE("a helper program's signals are as usual, and it has no terminal") {
    struct sigaction ignore{}, before{};
    ignore.sa_handler = SIG_IGN;
    ::sigaction(SIGPIPE, &ignore, &before);
    const Outcome out = run("kill -PIPE $$; echo ignored", {100, 60'000});
    ::sigaction(SIGPIPE, &before, nullptr);
    REQUIRE_FALSE(out.result.has_value());
    CHECK(out.result.error().what() == "was ended by signal 13");
    CHECK(run("(: < /dev/tty) 2>/dev/null && echo one || echo none", {100, 60'000}).result.value() == "none\n");
}

TEST_CASE("what cannot be started is named") {
    asio::io_context loop(1);
    Result<std::string> result = Error();
    asio::co_spawn(loop, run_helper_program({"/nonexistent/program"}, "the helper", {100, 1000}),
                   [&](std::exception_ptr, Result<std::string> got) { result = std::move(got); });
    loop.run();
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error().kind() == ErrorKind::usage);
    CHECK(result.error().line() == "the helper: cannot be started: No such file or directory");
}

}  // namespace zcdp
