#include "zcdp/base/assert.hpp"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <functional>
#include <string>

#include "tests/support/doctest.hpp"
#include "zcdp/base/tasks.hpp"

using namespace zcdp;

namespace {

struct Death {
    int signal = 0;  ///< 0: it lived
    std::string words;
};

/// What `act` says on stderr, and dies of, in a process of its own.
Death death_of(const std::function<void()>& act) {
    int fds[2];
    REQUIRE(::pipe(fds) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
        const rlimit no_core{0, 0};
        ::setrlimit(RLIMIT_CORE, &no_core);
        ::signal(SIGABRT, SIG_DFL);
        ::dup2(fds[1], STDERR_FILENO);
        act();
        ::_exit(0);
    }
    ::close(fds[1]);
    Death out;
    char buffer[1024];
    for (ssize_t got; (got = ::read(fds[0], buffer, sizeof buffer)) > 0;)
        out.words.append(buffer, static_cast<size_t>(got));
    ::close(fds[0]);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    out.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    return out;
}

}  // namespace

TEST_CASE("an assertion that does not hold says what and where, and aborts") {
    const Death death = death_of([] {
        const int one = 1;
        ZCDP_ASSERT(one == 2);
    });
    CHECK(death.signal == SIGABRT);
    CHECK(death.words.find("tests/unit/base/assert_test.cpp:") != std::string::npos);
    CHECK(death.words.find("does not hold: one == 2\n") != std::string::npos);
    CHECK(death.words.find("zcdp: tests/") == 0);  // relative: no build folder in it
}

TEST_CASE("an assertion that holds costs its condition, once") {
    int looks = 0;
    ZCDP_ASSERT(++looks > 0);
    CHECK(looks == 1);
}

TEST_CASE("task groups and semaphores that are used against their contracts abort") {
    CHECK(death_of([] {
              asio::io_context context;
              TaskGroup group(context.get_executor());
              group.spawn([]() -> Task<> { co_return; }());
          }).signal == SIGABRT);
    CHECK(death_of([] {
              asio::io_context context;
              Semaphore semaphore(context.get_executor(), 2);
              semaphore.release(1);
          }).signal == SIGABRT);
    CHECK(death_of([] {
              asio::io_context context;
              Semaphore semaphore(context.get_executor(), 2);
              asio::co_spawn(context, semaphore.acquire(3), [](std::exception_ptr) {});
              context.run();
          }).signal == SIGABRT);
    CHECK(death_of([] {
              asio::io_context context;
              Semaphore semaphore(context.get_executor(), 2);
              if (semaphore.try_acquire(2)) semaphore.release(2);
          }).signal == 0);
}
