// Syncs of several nodes at once, each with its own store, that get a dataset from one folder and from each other.
#include <thread>

#include "src/sync/swarm/swarm_feeder.hpp"
#include "tests/support/doctest.hpp"
#include "tests/support/forwarding_fs.hpp"
#include "tests/support/swarm_nodes.hpp"

namespace zcdp::sync {

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
    swarm::PieceTable table;
    const Revision revision = liar.list(dataset.folder.path(), [&](const origin::Entry& entry) {
        entry.kind == origin::EntryKind::file ? table.add_file(entry.size_bytes) : table.add_other();
    });
    table.finish();
    swarm::HaveMap all(table.pieces());
    all.set_all();
    const auto nothing = std::make_shared<Nothing>();
    const swarm::News news{1, all, all, swarm::HaveMap(all.pieces())};
    liar.give(revision, std::make_shared<swarm::Share>(std::move(table), news, nothing), false);
    node.start(dataset.folder.path(), 500);
    const auto& report = node.ended();
    if (!report) FAIL(report.error().line());
    CHECK(dataset.is(report->path));
    CHECK(report->bytes_fetched == report->bytes);
    CHECK(nothing->asked > 0);
}

}  // namespace zcdp::sync
