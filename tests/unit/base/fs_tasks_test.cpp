// The file system's recipes and the coroutine habits.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>

#include "tests/support/doctest.hpp"
#include "tests/support/temp_folder.hpp"
#include "zcdp/base/clock.hpp"
#include "zcdp/base/fs.hpp"
#include "zcdp/base/log.hpp"
#include "zcdp/base/metrics.hpp"
#include "zcdp/base/tasks.hpp"

using namespace zcdp;
using zcdp::test::TempFolder;

namespace {

Fd open_dir(const std::string& path) { return Fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY)); }

}  // namespace

TEST_CASE("open_beneath never leaves its folder: no symlink, no .., no absolute path") {
    TempFolder temp;
    Fs& fs = system_fs();
    const Fd dir = open_dir(temp.path());
    REQUIRE(make_directories(fs, dir.get(), "a/b", 0755));
    REQUIRE(replace_file(fs, dir.get(), "a/b/file", "content", 0644));
    REQUIRE(fs.symlink("/etc", dir.get(), "out"));
    REQUIRE(fs.symlink("b", dir.get(), "a/in"));
    CHECK(fs.open_beneath(dir.get(), "a/b/file", O_RDONLY));
    for (const char* path : {"out/passwd", "a/in/file", "../x", "a/../../x", "/etc/passwd", "out"})
        CHECK_MESSAGE(!fs.open_beneath(dir.get(), path, O_RDONLY), path);
    CHECK_FALSE(make_directories(fs, dir.get(), "out/made", 0755));
}

TEST_CASE("a file is replaced whole, read within its limit, and a tree removed without following symlinks") {
    TempFolder temp;
    Fs& fs = system_fs();
    const Fd dir = open_dir(temp.path());
    REQUIRE(replace_file(fs, dir.get(), "f", "one", 0644));
    REQUIRE(replace_file(fs, dir.get(), "f", "two", 0644));
    CHECK(*read_file(fs, dir.get(), "f", 3) == "two");
    CHECK(read_file(fs, dir.get(), "f", 2).error().value() == EFBIG);
    CHECK(fs.list(dir.get())->size() == 1);
    REQUIRE(make_directories(fs, dir.get(), "tree/deep/deeper", 0755));
    REQUIRE(fs.symlink("../f", dir.get(), "tree/link"));
    REQUIRE(replace_file(fs, dir.get(), "tree/deep/x", "x", 0644));
    REQUIRE(remove_tree(fs, dir.get(), "tree"));
    CHECK(remove_tree(fs, dir.get(), "tree"));
    CHECK(*read_file(fs, dir.get(), "f", 3) == "two");
    CHECK(fs.rename_new(dir.get(), "f", dir.get(), "g"));
    REQUIRE(replace_file(fs, dir.get(), "f", "x", 0644));
    CHECK(fs.rename_new(dir.get(), "f", dir.get(), "g").error().value() == EEXIST);
    CHECK(commit_journal(fs, dir.get(), "barrier"));
}

TEST_CASE("offload runs elsewhere, comes home, and brings values and exceptions along") {
    asio::io_context context(1);
    asio::thread_pool pool(2);
    const auto home = std::this_thread::get_id();
    int done = 0;
    const auto body = [](asio::thread_pool* threads, std::thread::id loop, int* out) -> Task<> {
        const int value = co_await offload(*threads, [loop] { return std::this_thread::get_id() == loop ? -1 : 7; });
        CHECK(value == 7);
        CHECK(std::this_thread::get_id() == loop);
        bool thrown = false;
        try {
            co_await offload(*threads, []() -> int { throw std::runtime_error("x"); });
        } catch (const std::runtime_error&) {
            thrown = true;
        }
        CHECK(thrown);
        co_await offload(*threads, [out] { *out = 1; });
    };
    asio::co_spawn(context, body(&pool, home, &done), [](std::exception_ptr e) { CHECK(!e); });
    context.run();
    CHECK(done == 1);
}

TEST_CASE("a loop may end the moment its last job comes home") {
    asio::thread_pool pool(4);
    for (int i = 0; i < 500; ++i) {
        asio::io_context context(1);
        const auto body = [](asio::thread_pool* threads) -> Task<> { co_await offload(*threads, [] {}); };
        asio::co_spawn(context, body(&pool), [](std::exception_ptr) {});
        context.run();
    }
    pool.join();
    CHECK(true);
}

TEST_CASE("a semaphore serves in order and a group waits for all and passes the first exception on") {
    asio::io_context context(1);
    std::vector<int> order;
    Semaphore semaphore(context.get_executor(), 2);
    const auto worker = [](Semaphore* s, std::vector<int>* out, int number) -> Task<> {
        co_await s->acquire(2);
        out->push_back(number);
        co_await sleep_ms(1);
        s->release(2);
        if (number == 1) throw std::runtime_error("one");
    };
    bool thrown = false;
    const auto all = [worker](Semaphore* s, std::vector<int>* out, bool* failed) -> Task<> {
        TaskGroup group(co_await asio::this_coro::executor);
        for (int i = 0; i < 4; ++i) group.spawn(worker(s, out, i));
        try {
            co_await group.wait();
        } catch (const std::runtime_error&) {
            *failed = true;
        }
    };
    asio::co_spawn(context, all(&semaphore, &order, &thrown), [](std::exception_ptr e) { CHECK(!e); });
    context.run();
    CHECK(order == std::vector<int>{0, 1, 2, 3});
    CHECK(thrown);
    CHECK(semaphore.available() == 2);
}

TEST_CASE("log lines are one line, in both forms, whatever the text holds") {
    int fds[2];
    REQUIRE(::pipe(fds) == 0);
    const ManualClock clock(1767323045'123'000'000);
    Logger text(clock, fds[1], LogLevel::info, LogFormat::text), json(clock, fds[1], LogLevel::info, LogFormat::json);
    text.info("a\nb", {{"key", "x y"}, {"n", 5}});
    text.debug("not shown");
    json.warn("q\"\\", {{"k", "\x01\xff"}, {"n", uint64_t{7}}});
    ::close(fds[1]);
    char buffer[1024];
    const ssize_t got = ::read(fds[0], buffer, sizeof buffer);
    ::close(fds[0]);
    const std::string out(buffer, static_cast<size_t>(got));
    CHECK(out ==
          "2026-01-02T03:04:05.123Z info  a\\x0ab key=\"x y\" n=5\n"
          "{\"time\":\"2026-01-02T03:04:05.123Z\",\"level\":\"warn\",\"message\":\"q\\\"\\\\\",\"k\":"
          "\"\\u0001\\\\xff\",\"n\":7}\n");
}

TEST_CASE("metrics come as Prometheus reads them") {
    Metrics metrics;
    metrics.counter({"zcdp_b_total", "B."}).add(3);
    metrics.gauge({"zcdp_a", "A."}).set(1);
    metrics.counter({"zcdp_b_total", "B."}).add();
    CHECK(metrics.prometheus_text() ==
          "# HELP zcdp_a A.\n# TYPE zcdp_a gauge\nzcdp_a 1\n# HELP zcdp_b_total B.\n# TYPE zcdp_b_total "
          "counter\nzcdp_b_total 4\n");
}

TEST_CASE("a metric's series differ by their labels, whatever stands in them") {
    constexpr MetricName kBytes{"zcdp_bytes_total", "B."}, kSeconds{"zcdp_seconds", "S."};
    Metrics metrics;
    Metrics one(metrics, {{"dataset", "a"}}), other(metrics, {{"dataset", "q\"\\\n"}});
    Metrics inner(one, {{"backend", "b"}});
    one.counter(kBytes).add(1);
    other.counter(kBytes).add(2);
    inner.counter(kBytes).add(3);
    Metrics(metrics, {{"dataset", "a"}}).counter(kBytes).add(4);  // the same series
    CHECK(metrics.prometheus_text() ==
          "# HELP zcdp_bytes_total B.\n# TYPE zcdp_bytes_total counter\n"
          "zcdp_bytes_total{dataset=\"a\"} 5\n"
          "zcdp_bytes_total{dataset=\"a\",backend=\"b\"} 3\n"
          "zcdp_bytes_total{dataset=\"q\\\"\\\\\\n\"} 2\n");
    CHECK(other.prometheus_text() == metrics.prometheus_text());
    one.histogram(kSeconds).observe_ns(2'000'000'000);
    metrics.histogram(kSeconds).observe_ns(2'000'000'000);
    const std::string text = metrics.prometheus_text();
    for (const char* line :
         {"\nzcdp_seconds_bucket{le=\"1\"} 0\n", "\nzcdp_seconds_bucket{le=\"+Inf\"} 1\nzcdp_seconds_sum 2.000000\n",
          "\nzcdp_seconds_bucket{dataset=\"a\",le=\"10\"} 1\n",
          "\nzcdp_seconds_sum{dataset=\"a\"} 2.000000\nzcdp_seconds_count{dataset=\"a\"} 1\n"}) {
        INFO(line);
        CHECK(text.find(line) != std::string::npos);
    }
}

TEST_CASE("a metric has no more series than a server of metrics can bear") {
    constexpr MetricName kBytes{"zcdp_bytes_total", "B."};
    Metrics metrics;
    for (size_t i = 0; i < Metrics::kSeriesMax + 5; ++i)
        Metrics(metrics, {{"dataset", std::to_string(i)}}).counter(kBytes).add();
    Metrics(metrics, {{"dataset", "7"}}).counter(kBytes).add();
    const std::string text = metrics.prometheus_text();
    CHECK(static_cast<size_t>(std::count(text.begin(), text.end(), '\n')) == Metrics::kSeriesMax + 3);
    CHECK(text.find("\nzcdp_bytes_total 5\n") != std::string::npos);
    CHECK(text.find("\nzcdp_bytes_total{dataset=\"7\"} 2\n") != std::string::npos);
}
