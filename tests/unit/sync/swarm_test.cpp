// Syncs of several nodes at once, each with its own store, that get a dataset from one folder and from each other.
#include <thread>

#include "src/sync/swarm/swarm_feeder.hpp"
#include "tests/support/doctest.hpp"
#include "tests/support/forwarding_fs.hpp"
#include "tests/support/swarm_nodes.hpp"

namespace zcdp::sync {

namespace fs = std::filesystem;
using test::content_of;
using test::Dataset;
using test::Node;

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

TEST_CASE("a disk that is full on one node is that node's trouble alone") {
    const Dataset dataset;
    test::IntroducerInProcess controller;
    FullFs disk(system_fs());
    Node full("full", controller, disk), one("one", controller), other("other", controller);
    for (Node* node : {&full, &one, &other}) node->start(dataset.folder.path(), 500);
    while (full.progress.bytes_done == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    disk.is_full = true;
    const auto& ended = full.ended();
    REQUIRE(!ended);
    CHECK(ended.error().kind() == ErrorKind::no_space);
    for (Node* node : {&one, &other}) {
        const auto& report = node->ended();
        if (!report) FAIL(report.error().line());
        CHECK(dataset.is(report->path));
    }
    disk.is_full = false;
}

TEST_CASE("when all who have it go in the middle, the origin goes on, and little comes twice") {
    const Dataset dataset;
    test::IntroducerInProcess controller;
    Node first("first", controller), second("second", controller), node("node", controller);
    for (Node* holder : {&first, &second}) {
        holder->start(dataset.folder.path());
        REQUIRE(holder->ended());
    }
    node.start(dataset.folder.path(), 500);
    while (node.progress.bytes_received < 40 << 20) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    for (Node* holder : {&first, &second}) {
        holder->peer_server.close();
        holder->server->drain(0);
    }
    const auto& report = node.ended();
    if (!report) FAIL(report.error().line());
    CHECK(dataset.is(report->path));
    CHECK(report->bytes_fetched > 0);
    CHECK(report->bytes_fetched + report->bytes_received <= report->bytes * 12 / 10);
}

namespace {

/// Is introduced as one that gets it, so it owns pieces, and draws none.
class HangingOwner {
  public:
    HangingOwner(test::IntroducerInProcess& controller, std::string address)
        : thread_([&controller, address = std::move(address)](const std::stop_token& stop) {
              while (!stop.stop_requested()) {
                  (void)controller.meet({.name = "hangs", .address = address, .zone = "", .neighbours = {}});
                  std::this_thread::sleep_for(std::chrono::milliseconds(200));
              }
          }) {}

  private:
    std::jthread thread_;
};

}  // namespace

TEST_CASE("what an owner that hangs was to draw, the others draw") {
    const Dataset dataset;
    test::IntroducerInProcess controller;
    Node hangs("hangs", controller), node("node", controller);
    const HangingOwner owner(controller, hangs.address());
    node.start(dataset.folder.path(), 500);
    const auto& report = node.ended();
    if (!report) FAIL(report.error().line());
    CHECK(dataset.is(report->path));
    CHECK(report->bytes_fetched == report->bytes);
}

TEST_CASE("controllers that are away once nodes have met cost nothing; who has met nobody asks the origin") {
    const Dataset dataset;
    test::IntroducerInProcess controller;
    Node first("first", controller), second("second", controller), late("late", controller);
    first.start(dataset.folder.path());
    second.start(dataset.folder.path());
    while (first.progress.bytes_done == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    controller.is_away = true;
    for (Node* node : {&first, &second}) {
        const auto& report = node->ended();
        if (!report) FAIL(report.error().line());
        CHECK(dataset.is(report->path));
        CHECK(report->bytes_received > 0);
    }
    CHECK(first.result->bytes_fetched + second.result->bytes_fetched <= first.result->bytes * 105 / 100);
    late.settle_ms = 0;
    late.start(dataset.folder.path());
    const auto& alone = late.ended();
    if (!alone) FAIL(alone.error().line());
    CHECK(alone->bytes_fetched == alone->bytes);
}

TEST_CASE("a source that changes under one node before another lists it: neither has a mix") {
    const Dataset dataset;
    const std::string changing = dataset.folder.path() + "/long/b";
    const test::TempFolder beside(true);
    test::write_random(beside.path() + "/after", 64 << 20, 99);
    const std::string before = content_of(changing), after = content_of(beside.path() + "/after");
    test::IntroducerInProcess controller;
    Node early("early", controller), late("late", controller);
    early.start(dataset.folder.path(), 500);
    while (early.progress.bytes_done == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    fs::copy_file(beside.path() + "/after", dataset.folder.path() + "/.new");
    fs::rename(dataset.folder.path() + "/.new", changing);
    late.start(dataset.folder.path(), 500);
    for (Node* node : {&early, &late}) {
        const auto& report = node->ended();
        if (!report) FAIL(report.error().line());
        const std::string got = content_of(fs::path(report->path) / "long/b");
        CHECK((got == after || (node == &early && got == before)));
    }
    CHECK(dataset.is(late.result->path));
}

TEST_CASE("what came from members is not what these credentials alone were given: without members it is asked for") {
    const Dataset dataset;
    test::IntroducerInProcess controller;
    Node first("first", controller), second("second", controller);
    for (Node* node : {&first, &second}) {
        node->start(dataset.folder.path());
        REQUIRE(node->ended());
    }
    CHECK(second.result->bytes_received > 0);
    SyncOptions alone;
    alone.source = dataset.folder.path(), alone.dry_run = true;
    const auto factory = origin::make_origin_factory(alone.source, {}, second.machine());
    REQUIRE(factory);
    const auto would = run(alone, second.store.get(), *factory, second.machine(), second.progress, {});
    if (!would) FAIL(would.error().line());
    CHECK(would->snapshot.empty());  // it would ask
    CHECK(would->bytes_fetched == 0);
}

}  // namespace zcdp::sync
