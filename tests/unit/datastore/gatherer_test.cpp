// Short files that are asked for at once: how many requests they cost, and what becomes of the readers when one fails.
#include "src/datastore/client/gatherer.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "tests/support/doctest.hpp"
#include "tests/support/scripted_client.hpp"
#include "zcdp/base/little_endian.hpp"
#include "zcdp/transfer/loop.hpp"

namespace zcdp::datastore {
namespace {

using test::ScriptedAnswer;
using test::ScriptedClient;

std::vector<std::string> paths_of(const net::Request& request) {
    std::vector<std::string> paths;
    for (size_t begin = 0; begin < request.body.size();) {
        const size_t end = request.body.find('\n', begin);
        paths.push_back(request.body.substr(begin, end - begin));
        begin = end + 1;
    }
    return paths;
}

/// A key's version, readers of it, and what they got.
struct Bench {
    Bench() {
        for (int i = 0; i < 1000; ++i)
            files["f" + std::to_string(i)] = std::string(10 + i, static_cast<char>('a' + i % 26));
    }
    Result<ScriptedAnswer> answer(const net::Request& request) const {
        ScriptedAnswer out;
        out.headers["zcdp-snapshot"] = "s";
        for (const std::string& path : paths_of(request)) {
            const auto found = files.find(path);
            put_u64(out.body, found == files.end() ? UINT64_MAX : found->second.size());
            if (found != files.end()) out.body += found->second;
        }
        return out;
    }
    Task<> read(std::string path, uint64_t bytes) {
        auto file = co_await gatherer->read(path, bytes);
        if (file) got[path] = std::string(reinterpret_cast<const char*>(file->bytes().data()), file->length);
        else errors.emplace(path, file.error());
    }
    void begin(ScriptedClient::Script script) {
        client = std::make_shared<ScriptedClient>(std::move(script));
        gatherer =
            std::make_unique<Gatherer>(loop.executor(), client, BatchDoor{"/v1/files/k?version=1", "s"}, machine);
    }
    void run() {
        loop.run({});
        CHECK(gatherer->is_idle());
    }
    std::map<std::string, std::string> files, got;
    std::map<std::string, Error> errors;
    Metrics metrics;
    SeededRandom random{1};
    Logger log{system_clock(), 2, LogLevel::off, LogFormat::text};
    Machine machine{system_fs(), system_clock(), random, metrics, log, [](const char*) { return std::string(); }};
    transfer::Loop loop;
    std::shared_ptr<ScriptedClient> client;
    std::unique_ptr<Gatherer> gatherer;
};

}  // namespace

TEST_CASE("readers who come at once share a request, and each gets its own file") {
    Bench bench;
    bench.begin([&](const net::Request& request) { return bench.answer(request); });
    for (int i = 0; i < 100; ++i) bench.loop.spawn(bench.read("f" + std::to_string(i), 10 + i));
    bench.run();
    CHECK(bench.client->requests.size() == 1);
    CHECK(bench.client->requests[0].method == "POST");
    CHECK(bench.got.size() == 100);
    for (const auto& [path, content] : bench.got) CHECK(content == bench.files[path]);
}

TEST_CASE("a request has no more files than an answer should be long") {
    Bench bench;
    for (int i = 0; i < 64; ++i) bench.files["big" + std::to_string(i)] = std::string(Gatherer::kFileBytesMost, 'x');
    bench.begin([&](const net::Request& request) { return bench.answer(request); });
    for (int i = 0; i < 64; ++i) bench.loop.spawn(bench.read("big" + std::to_string(i), Gatherer::kFileBytesMost));
    bench.run();
    CHECK(bench.got.size() == 64);
    CHECK(bench.client->requests.size() == 4);
}

TEST_CASE("a file that is not there is the error of its reader alone") {
    Bench bench;
    bench.begin([&](const net::Request& request) { return bench.answer(request); });
    for (const char* path : {"f1", "none", "f2"}) bench.loop.spawn(bench.read(path, path[1] == '1' ? 11 : 12));
    bench.run();
    CHECK(bench.got.size() == 2);
    REQUIRE(bench.errors.contains("none"));
    CHECK(bench.errors["none"].kind() == ErrorKind::not_found);
}

TEST_CASE("an answer that breaks off is asked for again from where it broke off") {
    Bench bench;
    int breaks = 2;
    bench.begin([&](const net::Request& request) {
        auto answer = bench.answer(request);
        if (breaks-- > 0) {
            answer->body.resize(answer->body.size() / 2);
            answer->broken = Error(ErrorKind::unreachable, "cut off");
        }
        return answer;
    });
    for (int i = 0; i < 10; ++i) bench.loop.spawn(bench.read("f" + std::to_string(i), 10 + i));
    bench.run();
    CHECK(bench.got.size() == 10);
    REQUIRE(bench.client->requests.size() == 3);
    CHECK(paths_of(bench.client->requests[1]).size() < 10);
    CHECK(paths_of(bench.client->requests[2]).size() < paths_of(bench.client->requests[1]).size());
}

TEST_CASE("an answer out of another snapshot is none") {
    Bench bench;
    bench.begin([&](const net::Request& request) {
        auto answer = bench.answer(request);
        answer->headers["zcdp-snapshot"] = "another";
        return answer;
    });
    for (int i = 0; i < 3; ++i) bench.loop.spawn(bench.read("f" + std::to_string(i), 10 + i));
    bench.run();
    CHECK(bench.got.empty());
    CHECK(bench.errors["f0"].kind() == ErrorKind::source_changed);
}

TEST_CASE("a refusal is the error of all who asked") {
    Bench bench;
    bench.begin(
        [](const net::Request&) -> Result<ScriptedAnswer> { return Error(ErrorKind::not_found, "is no more"); });
    for (int i = 0; i < 10; ++i) bench.loop.spawn(bench.read("f" + std::to_string(i), 10 + i));
    bench.run();
    CHECK(bench.errors.size() == 10);
    CHECK(bench.client->requests.size() == 1);
}

TEST_CASE("those who come while requests are under way share the next, and none is asked for twice") {
    Bench bench;
    bench.begin([&](const net::Request& request) { return bench.answer(request); });
    const auto come_later = [](Bench& of, int first, uint64_t turns) -> Task<> {
        for (uint64_t i = 0; i < turns; ++i) co_await asio::post(of.loop.executor(), asio::use_awaitable);
        for (int i = first; i < first + 100; ++i) of.loop.spawn(of.read("f" + std::to_string(i), 10 + i));
    };
    for (int i = 0; i < 6; ++i) bench.loop.spawn(come_later(bench, i * 100, i * 3));
    bench.run();
    CHECK(bench.got.size() == 600);
    CHECK(bench.client->requests.size() <= 6);
    std::set<std::string> asked;
    for (const net::Request& request : bench.client->requests)
        for (const std::string& path : paths_of(request)) CHECK(asked.insert(path).second);
}

TEST_CASE("when all is cancelled nobody is left, also in the middle of an answer") {
    for (int pieces = 0; pieces < 20; ++pieces) {
        Bench bench;
        std::stop_source stop;
        int left = pieces;
        bench.begin([&](const net::Request& request) {
            auto answer = bench.answer(request);
            answer->piece_bytes = 7;
            if (left-- <= 0) stop.request_stop();
            return answer;
        });
        for (int i = 0; i < 300; ++i) bench.loop.spawn(bench.read("f" + std::to_string(i), 10 + i));
        bench.loop.run(stop.get_token());
        CHECK(bench.gatherer->is_idle());
    }
}

}  // namespace zcdp::datastore
