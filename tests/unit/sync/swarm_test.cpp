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

namespace {

/// One member that says it has all, and gives what `bytes` gives.
struct Byzantine {
    /// `make` is given the list's pieces.
    Byzantine(test::IntroducerInProcess& controller, const Dataset& dataset,
              const std::function<std::shared_ptr<const swarm::PieceBytes>(std::shared_ptr<const PieceList>)>& make)
        : node("liar", controller) {
        EntryList list{open_scratch(system_fs(), scratch.path(), system_random()).value()};
        SpoolWriter spool(system_fs(), list.file.get());
        const Revision revision =
            node.list(dataset.folder.path(), [&](const origin::Entry& entry) { CHECK(spool.add({.entry = entry})); });
        REQUIRE(spool.finish());
        list.count = spool.count();
        auto pieces = std::make_shared<const PieceList>(
            PieceList::make(list, system_fs(), scratch.path(), system_random(), {}).value());
        swarm::HaveMap all(pieces->table().pieces());
        all.set_all();
        const swarm::News news{1, all, all, swarm::HaveMap(all.pieces())};
        node.give(revision, std::make_shared<swarm::Share>(pieces->table(), news, make(pieces)), false);
    }
    test::TempFolder scratch{true};
    Node node;
};

/// Gives nothing of what it says that it has.
class Nothing final : public swarm::PieceBytes {
  public:
    Result<std::unique_ptr<swarm::PieceReader>> open(uint64_t) const override {
        ++asked;
        return Error(ErrorKind::not_found, "on purpose");
    }
    std::optional<net::server::FileRange> file_of(uint64_t) const override { return std::nullopt; }
    Result<swarm::PieceDigest> digest_of(uint64_t) const override { return swarm::PieceDigest{}; }
    Result<std::string> claim_of(uint64_t) const override { return std::string(); }
    mutable std::atomic<int> asked{0};
};

/// Gives the pieces of a folder with one bit of each changed. What it signs is what they should be, or what it sends.
class Flipped final : public swarm::PieceBytes {
  public:
    Flipped(std::shared_ptr<const PieceList> pieces, std::string folder, bool signs_what_it_sends)
        : pieces_(std::move(pieces)), folder_(std::move(folder)), signs_what_it_sends_(signs_what_it_sends) {}
    Result<std::unique_ptr<swarm::PieceReader>> open(uint64_t piece) const override {
        return std::make_unique<Reader>(content(piece, true));
    }
    std::optional<net::server::FileRange> file_of(uint64_t) const override { return std::nullopt; }
    Result<swarm::PieceDigest> digest_of(uint64_t piece) const override {
        const std::string bytes = content(piece, signs_what_it_sends_);
        if (pieces_->table().at(piece).is_chunk) return Sha256::of(bytes);
        std::vector<Digest> digests;
        uint64_t at = 0;
        for (const PieceFile& file : pieces_->files_of(piece).value()) {
            const uint64_t size_bytes = file.record.entry.size_bytes;
            digests.push_back({DigestKind::sha256, Sha256::of(std::string_view(bytes).substr(at, size_bytes))});
            at += size_bytes;
        }
        return swarm::digest_of_run(digests);
    }
    Result<std::string> claim_of(uint64_t) const override { return std::string(); }

  private:
    class Reader final : public swarm::PieceReader {
      public:
        explicit Reader(std::string bytes) : bytes_(std::move(bytes)) {}
        Result<size_t> read_some(std::span<std::byte> into) override {
            const size_t count = bytes_.copy(reinterpret_cast<char*>(into.data()), into.size(), at_);
            at_ += count;
            return count;
        }

      private:
        const std::string bytes_;
        size_t at_ = 0;
    };
    std::string content(uint64_t piece, bool is_flipped) const {
        const swarm::Piece what = pieces_->table().at(piece);
        std::string bytes;
        for (const PieceFile& file : pieces_->files_of(piece).value())
            bytes += content_of(fs::path(folder_) / file.record.entry.path);
        if (what.is_chunk) bytes = bytes.substr(what.chunk * kChunkBytes, what.size_bytes);
        if (is_flipped) bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
        return bytes;
    }
    const std::shared_ptr<const PieceList> pieces_;
    const std::string folder_;
    const bool signs_what_it_sends_;
};

/// And nothing from members, whatever they offer.
void gets_all_from_origin(Node& node, const Dataset& dataset) {
    node.start(dataset.folder.path(), 500);
    const auto& report = node.ended();
    if (!report) FAIL(report.error().line());
    CHECK(dataset.is(report->path));
    CHECK(report->bytes_fetched == report->bytes);
}

}  // namespace

TEST_CASE("a member that has nothing of what it says is given up after three strikes, and the origin is asked") {
    const Dataset dataset;
    test::IntroducerInProcess controller;
    const auto nothing = std::make_shared<Nothing>();
    const Byzantine liar(controller, dataset, [&](auto) { return nothing; });
    Node node("node", controller);
    gets_all_from_origin(node, dataset);
    CHECK(nothing->asked > 0);
}

TEST_CASE("a member that sends other bytes than it has signed is banned, and none of them is kept") {
    const Dataset dataset;
    test::IntroducerInProcess controller;
    const Byzantine liar(controller, dataset, [&](auto pieces) {
        return std::make_shared<Flipped>(pieces, dataset.folder.path(), /*signs_what_it_sends=*/false);
    });
    Node node("node", controller);
    for (uint64_t i = 1; i < swarm::Bans::kStrikes; ++i) node.bans.strike("liar", swarm::Strike::wrong_bytes);
    gets_all_from_origin(node, dataset);
    REQUIRE(node.bans.banned().size() == 1);
    CHECK(node.bans.banned()[0].member == "liar");
    CHECK(node.bans.banned()[0].reason == swarm::Strike::wrong_bytes);
}

TEST_CASE("a member whose certificate is of another CA vouches for nothing") {
    const Dataset dataset;
    test::IntroducerInProcess controller;
    Node stranger("stranger", controller), node("node", controller);
    stranger.start(dataset.folder.path());
    REQUIRE(stranger.ended());
    stranger.identity = test::MembersCa().certify("stranger");
    REQUIRE(controller.meet({.name = stranger.name, .address = stranger.address()}));
    for (uint64_t i = 1; i < swarm::Bans::kStrikes; ++i) node.bans.strike("stranger", swarm::Strike::wrong_bytes);
    gets_all_from_origin(node, dataset);
    CHECK(node.bans.is_banned("stranger"));
}

TEST_CASE("what a member has signed is compared with the origin now and then: a lie costs all that came from members") {
    const Dataset dataset;
    test::IntroducerInProcess controller;
    const Byzantine liar(controller, dataset, [&](auto pieces) {
        return std::make_shared<Flipped>(pieces, dataset.folder.path(), /*signs_what_it_sends=*/true);
    });
    Node node("node", controller);
    node.compare_one_in = 2;  // of two members; one piece in four is
    gets_all_from_origin(node, dataset);
    REQUIRE(node.bans.banned().size() == 1);
    CHECK(node.bans.banned()[0].reason == swarm::Strike::false_claim);
    for (const auto& left : fs::directory_iterator(node.store->root() + "/partial"))
        CHECK_FALSE(left.path().filename().string().starts_with("p-"));
}

TEST_CASE("a snapshot that is not what others have made of the revision is not taken: the origin decides") {
    const Dataset dataset;
    test::IntroducerInProcess controller;
    const Byzantine liar(controller, dataset, [&](auto pieces) {
        return std::make_shared<Flipped>(pieces, dataset.folder.path(), /*signs_what_it_sends=*/true);
    });
    Node honest("honest", controller), node("node", controller);
    honest.bans.strike("liar", swarm::Strike::false_claim);
    honest.start(dataset.folder.path(), 500);
    REQUIRE(honest.ended());
    controller.snapshot = honest.result->snapshot;
    node.start(dataset.folder.path(), 500);
    const auto& report = node.ended();
    if (!report) FAIL(report.error().line());
    CHECK(report->snapshot == controller.snapshot);
    CHECK(dataset.is(report->path));
}

}  // namespace zcdp::sync
