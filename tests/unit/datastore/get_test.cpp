// Gets from a real server in this process, whose versions go while they are read.
#include "zcdp/datastore/get.hpp"

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "tests/support/doctest.hpp"
#include "tests/support/temp_folder.hpp"
#include "tests/support/watched_fs.hpp"
#include "zcdp/datastore/put.hpp"
#include "zcdp/datastore/server.hpp"

namespace zcdp::datastore {
namespace {

namespace stdfs = std::filesystem;

/// More than are under way at once.
constexpr int kFiles = 6'000;

/// A server where what is not pointed at any more goes at once, and what its clients put and get.
struct Bench {
    Bench() {
        ServerOptions options;
        options.root = folder.path() + "/store", options.listen = "127.0.0.1:0", options.keep_versions = 1;
        options.times.reader_grace_s = 0;
        server = Server::open(options, machine_of(system_fs())).value();
        access.url = server->url();
        serving = std::jthread([this](const std::stop_token& stop) { (void)server->run(stop); });
    }
    static std::string environment(const char*) { return {}; }
    Machine machine_of(Fs& fs) { return {fs, system_clock(), system_random(), metrics, log, environment}; }

    std::string tree(const std::string& name, char content) const {
        const stdfs::path at = stdfs::path(folder.path()) / name;
        stdfs::create_directories(at);
        for (int i = 0; i < kFiles; ++i) std::ofstream(at / std::to_string(i)) << i << std::string(500, content);
        return at.string();
    }
    Result<PutReport> put(const std::string& key, const std::string& source) {
        PutOptions options;
        options.key = key, options.source = source;
        sync::Progress progress;
        auto done = datastore::put(access, options, machine_of(system_fs()), progress, {});
        server->look_after();
        return done;
    }
    GetOptions get_options(const std::string& key) const {
        GetOptions options;
        options.key = key, options.dest = folder.path() + "/dest";
        return options;
    }
    /// Gets it, and does `then` once, when the first bytes are written.
    Result<GetReport> get(const std::string& key, const std::function<void()>& then) {
        std::atomic_flag done;
        watched.before = [&](std::string_view call, std::string_view) {
            if (call == "write" && armed && !done.test_and_set()) then();
        };
        sync::Progress progress;
        armed = true;
        return datastore::get(access, get_options(key), machine_of(watched), progress, {});
    }
    bool has(char content) const {
        const stdfs::path dest = stdfs::path(folder.path()) / "dest";
        for (int i = 0; i < kFiles; ++i) {
            std::ifstream file(dest / std::to_string(i));
            const std::string text(std::istreambuf_iterator<char>(file), {});
            if (text != std::to_string(i) + std::string(500, content)) return false;
        }
        return true;
    }

    test::TempFolder folder{true};
    Metrics metrics;
    Logger log{system_clock(), 2, LogLevel::off, LogFormat::text};
    test::WatchedFs watched{system_fs()};
    std::atomic<bool> armed{false};
    std::unique_ptr<Server> server;
    std::jthread serving;
    ServerAccess access;
};

}  // namespace

TEST_CASE("a present version that goes while it is read: the get begins again with the new one") {
    Bench bench;
    const std::string first = bench.tree("first", 'a'), second = bench.tree("second", 'b');
    REQUIRE(bench.put("k", first));
    const auto got = bench.get("k", [&] { REQUIRE(bench.put("k", second)); });
    REQUIRE(got);
    CHECK(got->keys.front().version == 2);
    CHECK(bench.has('b'));
}

TEST_CASE("a version that was asked for by number and goes: not found, and nothing appears") {
    Bench bench;
    const std::string first = bench.tree("first", 'a'), second = bench.tree("second", 'b');
    REQUIRE(bench.put("k", first));
    const auto got = bench.get("k@1", [&] { REQUIRE(bench.put("k", second)); });
    REQUIRE(!got);
    CHECK(got.error().kind() == ErrorKind::not_found);
    CHECK(got.error().object() == "k");
    CHECK(!stdfs::exists(bench.get_options("").dest));
    const auto again = bench.get("k@2", [] {});
    REQUIRE(again);
    CHECK(bench.has('b'));
}

TEST_CASE("a key that is a file all at once, in the middle of a get of a tree") {
    Bench bench;
    const std::string first = bench.tree("first", 'a');
    REQUIRE(bench.put("k", first));
    const auto got = bench.get("k", [&] { REQUIRE(bench.put("k", first + "/1")); });
    REQUIRE(!got);
    CHECK(got.error().kind() == ErrorKind::source_changed);
}

TEST_CASE("a key that is removed in the middle of a get") {
    Bench bench;
    REQUIRE(bench.put("k", bench.tree("first", 'a')));
    const auto got = bench.get("k", [&] {
        REQUIRE(remove(bench.access, bench.machine_of(system_fs()), "k", false, {}));
        bench.server->look_after();
    });
    REQUIRE(!got);
    CHECK(got.error().kind() == ErrorKind::not_found);
}

TEST_CASE("a stream whose version goes ends with an error, and what came was right") {
    Bench bench;
    const std::string first = bench.tree("first", 'a'), second = bench.tree("second", 'b');
    REQUIRE(bench.put("k", first));
    bool put = false;
    sync::Progress progress;
    const auto streamed =
        get_stream(bench.access, bench.get_options("k"), bench.machine_of(system_fs()), progress,
                   [&](std::span<const std::byte> bytes) -> Result<> {
                       const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
                       CHECK(text.find('b') == std::string_view::npos);
                       if (!std::exchange(put, true)) REQUIRE(bench.put("k", second));
                       return {};
                   },
                   {});
    REQUIRE(!streamed);
    CHECK(streamed.error().kind() == ErrorKind::source_changed);
}

TEST_CASE("a get that is stopped goes on where it was") {
    Bench bench;
    REQUIRE(bench.put("k", bench.tree("first", 'a')));
    std::stop_source stop;
    bench.watched.before = [&](std::string_view call, std::string_view) {
        static std::atomic<int> writes{0};
        if (call == "write" && ++writes == 5'000) stop.request_stop();
    };
    sync::Progress progress;
    const auto stopped =
        get(bench.access, bench.get_options("k"), bench.machine_of(bench.watched), progress, stop.get_token());
    REQUIRE(!stopped);
    CHECK(stopped.error().kind() == ErrorKind::interrupted);
    const auto again = bench.get("k", [] {});
    REQUIRE(again);
    CHECK(again->files_fetched < kFiles);
    CHECK(bench.has('a'));
}

}  // namespace zcdp::datastore
