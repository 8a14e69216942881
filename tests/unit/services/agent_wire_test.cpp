// A sync through the agent: every option, counter and figure crosses the socket, or is named here as one that stays.
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <filesystem>
#include <fstream>
#include <stop_token>
#include <thread>
#include <tuple>

#include "src/services/agent/socket.hpp"
#include "tests/support/temp_store.hpp"
#include "zcdp/services/agent_client.hpp"
#include "zcdp/services/agent_wire.hpp"
#include "zcdp/sync/place.hpp"

namespace zcdp::services {
namespace {

// All members, in order. One that is added does not compile here: it is added to the list, and then the test below
// says whether it crosses. What does not is named in the test.
auto members(sync::SyncOptions& o) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, p, q] = o;
    return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n, p, q);
}
auto members(origin::OriginOptions& o) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, p, q, r, s, t, u, v, w, x, y, z, a1, b1, c1, d1, e1] = o;
    return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n, p, q, r, s, t, u, v, w, x, y, z, a1, b1, c1, d1, e1);
}
auto members(sync::SyncReport& o) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, p, q, r, s, t] = o;
    return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n, p, q, r, s, t);
}

/// Gives each member a value that it does not begin with, and that no other has.
struct Filler {
    uint32_t count = 0;
    void operator()(std::string& to) { to = "value " + std::to_string(++count); }
    void operator()(Revision& to) { to = Revision("value " + std::to_string(++count)); }
    void operator()(bool& to) { to = !to; }
    void operator()(double& to) { to = ++count; }
    void operator()(uint32_t& to) { to = 1000 + ++count; }
    void operator()(uint64_t& to) { to = 1'000'000 + ++count; }
    void operator()(std::vector<std::string>& to) { to = {"one", "value " + std::to_string(++count)}; }
    void operator()(std::map<std::string, std::string>& to) { to = {{"NAME", "value " + std::to_string(++count)}}; }
    void operator()(sync::Placement& to) { to = sync::Placement::link; }
    void operator()(const sync::Peers*&) {}
};
template <class T>
void fill(T& to, Filler& filler) {
    std::apply([&](auto&... each) { (filler(each), ...); }, members(to));
}

/// Writes to JSON and reads again, as the socket does.
template <class T>
T through_json(const T& value) {
    return api::from_json<T>(boost::json::parse(boost::json::serialize(api::to_json(value)))).value();
}

}  // namespace

TEST_CASE("every option of a sync crosses the agent's socket, but for those that are the caller's or the agent's own") {
    SyncOrder asked;
    Filler filler;
    fill(asked.sync, filler), fill(asked.origin, filler);
    asked.origin.sse_c_key = std::string(31, '\xfe') + '\0';
    asked.origin.connections = asked.sync.connections;  // one flag
    asked.hold = true;
    SyncOrder got = from_wire(through_json(to_wire(asked))).value();
    const sync::SyncOptions sync_default;
    const origin::OriginOptions origin_default;
    // The caller's: where the tree goes, and what is read before it is sent.
    got.sync.dest = asked.sync.dest, got.sync.placement = asked.sync.placement;
    got.sync.no_store = asked.sync.no_store, got.sync.delete_extra = asked.sync.delete_extra;
    got.sync.lock_timeout_ms = asked.sync.lock_timeout_ms;
    got.origin.ca_bundle = asked.origin.ca_bundle;
    // The agent's own.
    CHECK(got.sync.memory_bytes == sync_default.memory_bytes);
    CHECK(got.sync.loops == sync_default.loops);
    CHECK(!got.sync.peers);
    got.sync.memory_bytes = asked.sync.memory_bytes, got.sync.loops = asked.sync.loops;
    CHECK(members(got.sync) == members(asked.sync));
    CHECK(members(got.origin) == members(asked.origin));
    CHECK(got.hold);
    const SyncOrder nothing = from_wire(api::SyncRequest{}).value();
    CHECK(nothing.origin.retries == origin_default.retries);
    CHECK(nothing.origin.timeout_ms == origin_default.timeout_ms);
}

TEST_CASE("every figure of a sync's report and progress crosses the agent's socket") {
    sync::SyncReport report;
    Filler filler;
    fill(report, filler);
    sync::SyncReport got = from_wire(through_json(to_wire(report)));
    CHECK(members(got) == members(report));
    sync::Progress progress, followed;
    progress.phase = sync::Phase::fetching;
    uint32_t count = 0;
    for (auto* counter :
         {&progress.objects_listed, &progress.objects_total, &progress.objects_done, &progress.bytes_total,
          &progress.bytes_done, &progress.bytes_reused, &progress.objects_reused, &progress.files_placed,
          &progress.files_to_place, &progress.bytes_placed, &progress.bytes_to_place})
        *counter = ++count;
    progress.connections = ++count;
    progress.begin_long_file("long", 100, 40);
    followed.begin_long_file("ended", 5, 1);
    follow(through_json(to_wire(progress)), followed);
    CHECK(to_wire(followed) == to_wire(progress));
    CHECK(followed.long_files().size() == 1);
    CHECK(followed.bytes_to_place == 11);
}

TEST_CASE("what every agent knows is asked of /v1, what came later of /v2") {
    api::SyncRequest request;
    request.source = "s3://a/", request.anonymous = true, request.credentials = {{"A", "b"}}, request.connections = 3;
    CHECK(sync_target(request) == "/v1/sync");
    request.dry_run = true;
    CHECK(sync_target(request) == "/v2/sync");
    CHECK_FALSE(from_wire([] {
        api::SyncRequest out;
        out.sse_c_key_hex = "abc";
        return out;
    }()));
}

namespace {

struct Node {
    test::TempFolder folder;
    test::TempStore temp;
    Logger log{system_clock(), 2, LogLevel::off, LogFormat::text};
    Metrics metrics;
    Machine machine{
        system_fs(), system_clock(), system_random(), metrics, log, [](const char*) { return std::string(); }};
    std::unique_ptr<store::Store> store = temp.open();
    std::string socket = folder.path() + "/agent.sock", source = folder.path() + "/source";
    std::unique_ptr<net::server::ControlServer> server;
    sync::Progress progress;
    std::stop_source stop;
    sync::SyncOptions options;

    Node() {
        std::filesystem::create_directories(source + "/sub");
        std::ofstream(source + "/a") << "hello";
        std::ofstream(source + "/sub/b") << "world!";
        auto opened = agent::open_agent_socket(socket, {*store, *store, *store, machine, log});
        REQUIRE(opened);
        server = std::move(*opened);
        options.source = source;
    }
    Result<sync::SyncReport> sync(const WithTree& with_tree = {}) {
        return sync_by_agent(socket, options, {}, progress, stop.get_token(), with_tree);
    }
};

std::string content(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("an agent's socket: a sync, a dry run of it, and a DEST from the tree that the agent holds meanwhile") {
    Node node;
    node.options.dry_run = true;
    const auto dry = node.sync();
    REQUIRE(dry);
    CHECK(dry->dry_run);
    CHECK(dry->objects_fetched == 2);
    CHECK(node.store->list().value().empty());
    node.options.dry_run = false;
    node.options.dest = node.folder.path() + "/dest";
    store::SnapshotId id;
    const auto done = node.sync([&](sync::SyncReport& report) -> Result<> {
        id = store::SnapshotId::parse(report.snapshot).value();
        CHECK(node.store->leases().value().size() == 1);
        const auto evicted = node.store->evict(id);
        CHECK_FALSE(evicted);
        return sync::place_ready_tree(node.options, node.machine, report, node.progress, node.stop.get_token());
    });
    if (!done) FAIL(done.error().line());
    CHECK(done->path == node.options.dest);
    CHECK(content(node.options.dest + "/a") == "hello");
    CHECK(content(node.options.dest + "/sub/b") == "world!");
    CHECK(node.progress.files_placed > 0);
    // Let go when the caller has gone, which the agent finds out within seconds.
    for (int tries = 0; tries < 600 && !node.store->leases().value().empty(); ++tries)
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    CHECK(node.store->leases().value().empty());
    // An agent that was killed meanwhile left a lease, which the next one lets go.
    REQUIRE(node.store->lease(id, "zcdp sync, into a directory", 0));
    REQUIRE(node.store->lease(id, "somebody else", 0));
    node.server.reset();
    REQUIRE(agent::open_agent_socket(node.socket, {*node.store, *node.store, *node.store, node.machine, node.log}));
    const auto left = node.store->leases().value();
    REQUIRE(left.size() == 1);
    CHECK(left.front().owner == "somebody else");
    REQUIRE(node.store->release(left.front().id));
    CHECK(node.store->evict(id));
}

TEST_CASE("an agent's socket: a DEST in the store is refused, and a tree that is none") {
    Node node;
    node.options.dest = node.temp.root() + "/dest";
    const auto done = node.sync([&](sync::SyncReport& report) {
        return sync::place_ready_tree(node.options, node.machine, report, node.progress, node.stop.get_token());
    });
    REQUIRE_FALSE(done);
    CHECK(done.error().kind() == ErrorKind::usage);
    sync::SyncReport nothing;
    nothing.path = node.source;
    CHECK_FALSE(sync::place_ready_tree(node.options, node.machine, nothing, node.progress, node.stop.get_token()));
}

TEST_CASE("an agent's socket: /v2 refuses a member that it does not know, /v1 passes over it") {
    Node node;
    const std::string body = R"({"source":")" + node.source + R"(","of_a_newer_version":true})";
    CHECK(ask_agent(node.socket, "/v1/sync", body));
    const auto refused = ask_agent(node.socket, "/v2/sync", body);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind() == ErrorKind::usage);
    CHECK(refused.error().what() == "the agent is older than this zcdp and does not know of_a_newer_version");
}

}  // namespace zcdp::services
