// Syncs of several nodes at once, each with its own store, that get a dataset from one folder and from each other.
#include <filesystem>
#include <fstream>
#include <thread>

#include "src/sync/swarm/swarm_feeder.hpp"
#include "tests/support/doctest.hpp"
#include "tests/support/forwarding_fs.hpp"
#include "tests/support/introductions.hpp"
#include "tests/support/temp_store.hpp"
#include "zcdp/swarm/peer_server.hpp"
#include "zcdp/sync/peers.hpp"
#include "zcdp/sync/sync.hpp"

namespace zcdp::sync {
namespace {

namespace fs = std::filesystem;
using test::TempFolder;
using test::TempStore;

void write(const fs::path& path, uint64_t size_bytes, uint64_t seed) {
    fs::create_directories(path.parent_path());
    std::string content(size_bytes, '\0');
    SeededRandom(seed).fill(std::as_writable_bytes(std::span(content)));
    std::ofstream(path, std::ios::binary) << content;
}

std::string content_of(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

/// Long files, short ones of all sizes, one that is executable, and empty ones.
struct Dataset {
    Dataset() {
        write(folder.path() + "/long/a", (20 << 20) + 123, 1);
        write(folder.path() + "/long/b", 64 << 20, 2);
        write(folder.path() + "/middle", 3 << 20, 3);
        write(folder.path() + "/nothing", 0, 4);
        for (uint64_t i = 0; i < 400; ++i) write(folder.path() + "/short/" + std::to_string(i), i * 311, 100 + i);
        fs::permissions(folder.path() + "/short/7", fs::perms::owner_exec, fs::perm_options::add);
    }
    bool is(const std::string& tree) const {
        uint64_t files = 0;
        for (const auto& entry : fs::recursive_directory_iterator(folder.path())) {
            if (!entry.is_regular_file()) continue;
            ++files;
            if (content_of(entry.path()) != content_of(tree / fs::relative(entry.path(), folder.path()))) return false;
        }
        return files == 404;
    }
    TempFolder folder{true};
};

struct Node {
    Node(std::string name_given, test::IntroducerInProcess& controller_given, Fs& of_store = system_fs())
        : name(std::move(name_given)), controller(controller_given), temp(of_store, true), store(temp.open()) {
        server = net::server::Server::open({.listen = "127.0.0.1:0"}, pool, peer_server.handler(), log).value();
    }
    ~Node() {
        stop.request_stop();
        if (thread.joinable()) thread.join();
        peer_server.close();
        server.reset();
    }
    /// `late_ms`: how soon somebody draws what its owner was to draw; where pieces are counted, never.
    void start(const std::string& source, uint64_t late_ms = 120'000) {
        thread = std::thread([this, source, late_ms] {
            const Peers peers{.dataset = "the dataset",
                              .self = name,
                              .address = "127.0.0.1:" + std::to_string(server->port()),
                              .settle_ms = 2000,
                              .server = peer_server,
                              .http =
                                  [this](asio::any_io_executor executor) {
                                      return net::make_http_client(executor, {}, system_clock(), metrics, log);
                                  },
                              .introductions = [this](asio::any_io_executor) { return controller.door(); },
                              .chooser = {.draws = {.late_ms_least = late_ms, .unknown_ms = 500}}};
            SyncOptions options;
            options.source = source, options.peers = &peers;
            const Machine machine{
                system_fs(), system_clock(), system_random(), metrics, log, [](const char*) { return std::string(); }};
            const auto factory = origin::make_origin_factory(source, {}, machine);
            if (!factory) result = factory.error();
            else result = run(options, store.get(), *factory, machine, progress, stop.get_token());
        });
    }
    const Result<SyncReport>& ended() {
        thread.join();
        return result;
    }
    const std::string name;
    test::IntroducerInProcess& controller;
    Logger log{system_clock(), 2, LogLevel::off, LogFormat::text};
    Metrics metrics;
    TempStore temp;
    std::unique_ptr<store::Store> store;
    asio::thread_pool pool{2};
    swarm::PeerServer peer_server{pool, {}};
    std::unique_ptr<net::server::Server> server;
    Progress progress;
    std::stop_source stop;
    std::thread thread;
    Result<SyncReport> result = Error();
};

}  // namespace

TEST_CASE("nodes that begin at once each draw a part, and all have all") {
    const Dataset dataset;
    test::IntroducerInProcess controller;
    std::vector<std::unique_ptr<Node>> nodes;
    for (int i = 0; i < 4; ++i) nodes.push_back(std::make_unique<Node>("node-" + std::to_string(i), controller));
    for (auto& node : nodes) node->start(dataset.folder.path());
    uint64_t fetched = 0, bytes = 0;
    std::string snapshot;
    for (auto& node : nodes) {
        const auto& report = node->ended();
        if (!report) FAIL(report.error().line());
        CHECK(report->bytes_fetched + report->bytes_received == report->bytes);
        CHECK(report->bytes_received > 0);
        CHECK((snapshot.empty() || snapshot == report->snapshot));
        CHECK(dataset.is(report->path));
        snapshot = report->snapshot, fetched += report->bytes_fetched, bytes = report->bytes;
    }
    CHECK(fetched <= bytes * 105 / 100);
}

TEST_CASE("a node that comes later draws nothing from the origin") {
    const Dataset dataset;
    test::IntroducerInProcess controller;
    Node first("first", controller), second("second", controller);
    first.start(dataset.folder.path());
    REQUIRE(first.ended());
    CHECK(first.result->bytes_fetched == first.result->bytes);
    second.start(dataset.folder.path());
    const auto& report = second.ended();
    if (!report) FAIL(report.error().line());
    CHECK(report->bytes_fetched == 0);
    CHECK(report->bytes_received == report->bytes);
    CHECK(dataset.is(report->path));
}

TEST_CASE("one that is stopped in the middle costs the others nothing but its part") {
    const Dataset dataset;
    test::IntroducerInProcess controller;
    std::vector<std::unique_ptr<Node>> nodes;
    for (int i = 0; i < 3; ++i) nodes.push_back(std::make_unique<Node>("node-" + std::to_string(i), controller));
    for (auto& node : nodes) node->start(dataset.folder.path(), 500);
    while (nodes[1]->progress.bytes_done < 20 << 20) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    nodes[1]->stop.request_stop();
    const auto& stopped = nodes[1]->ended();
    CHECK((!stopped && stopped.error().kind() == ErrorKind::interrupted));
    nodes[1]->peer_server.close();
    nodes[1]->server->drain(0);
    for (const size_t i : {0, 2}) {
        const auto& report = nodes[i]->ended();
        if (!report) FAIL(report.error().line());
        CHECK(dataset.is(report->path));
    }
}

namespace {

/// From some time on nothing becomes durable.
class FullFs final : public test::ForwardingFs {
  public:
    using ForwardingFs::ForwardingFs;
    SysResult<> fsync(int file) override { return is_full ? full() : below_.fsync(file); }
    SysResult<> fdatasync(int file) override { return is_full ? full() : below_.fdatasync(file); }
    SysResult<> sync_fs(int file) override { return is_full ? full() : below_.sync_fs(file); }
    std::atomic<bool> is_full{false};

  private:
    static SysResult<> full() { return boost::system::error_code(ENOSPC, boost::system::system_category()); }
};

}  // namespace

TEST_CASE("a disk that takes nothing more ends the sync with its error, and no session waits for what cannot come") {
    const Dataset dataset;
    test::IntroducerInProcess controller;
    FullFs disk(system_fs());
    Node node("node", controller, disk);
    disk.is_full = true;
    node.start(dataset.folder.path());
    const auto& report = node.ended();
    REQUIRE(!report);
    CHECK(report.error().kind() == ErrorKind::no_space);
    disk.is_full = false;
}

namespace {

/// Gives nothing of what it says that it has.
class Nothing final : public swarm::PieceBytes {
  public:
    Result<std::unique_ptr<swarm::PieceReader>> open(uint64_t) const override {
        ++asked;
        return Error(ErrorKind::not_found, "on purpose");
    }
    std::optional<net::server::FileRange> file_of(uint64_t) const override { return std::nullopt; }
    mutable std::atomic<int> asked{0};
};

}  // namespace

TEST_CASE("a member that has nothing of what it says is given up after three strikes, and the origin is asked") {
    const Dataset dataset;
    test::IntroducerInProcess controller;
    Node liar("liar", controller), node("node", controller);
    Progress progress;
    const Machine machine{system_fs(),  system_clock(), system_random(),
                          liar.metrics, liar.log,       [](const char*) { return std::string(); }};
    SyncOptions options;
    options.source = dataset.folder.path();
    const auto factory = origin::make_origin_factory(options.source, {}, machine);
    REQUIRE(factory);
    TempFolder scratch(true);
    swarm::PieceTable table;
    const auto listed =
        list_source(options, *factory, machine, scratch.path(), progress, {}, [&](const origin::Entry& entry) {
            entry.kind == origin::EntryKind::file ? table.add_file(entry.size_bytes) : table.add_other();
        });
    REQUIRE(listed);
    table.finish();
    swarm::HaveMap all(table.pieces());
    all.set_all();
    const auto nothing = std::make_shared<Nothing>();
    const swarm::News news{1, all, all, swarm::HaveMap(all.pieces())};
    liar.peer_server.add(swarm_name("the dataset", listed->revision),
                         std::make_shared<swarm::Share>(std::move(table), news, nothing));
    REQUIRE(controller.meet({.name = liar.name, .address = "127.0.0.1:" + std::to_string(liar.server->port())}));
    node.start(options.source, 500);
    const auto& report = node.ended();
    if (!report) FAIL(report.error().line());
    CHECK(dataset.is(report->path));
    CHECK(report->bytes_fetched == report->bytes);
    CHECK(nothing->asked > 0);
}

}  // namespace zcdp::sync
