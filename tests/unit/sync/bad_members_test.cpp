// Members that give other things than they say, or nothing, or all too slowly: nothing wrong is kept, and the sync
// ends.
#include <thread>

#include "src/sync/swarm/swarm_feeder.hpp"
#include "tests/support/doctest.hpp"
#include "tests/support/swarm_nodes.hpp"
#include "zcdp/base/scratch.hpp"
#include "zcdp/sync/held_snapshot.hpp"

namespace zcdp::sync {

namespace fs = std::filesystem;
using test::content_of;
using test::Dataset;
using test::Node;

namespace {

/// One member that says it has all, and gives what `bytes` gives.
struct Byzantine {
    /// `make` is given the list's pieces.
    Byzantine(test::IntroducerInProcess& controller, const Dataset& dataset,
              const std::function<std::shared_ptr<const swarm::PieceBytes>(std::shared_ptr<const PieceList>)>& make,
              bool is_holder = false)
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
        node.give(revision, std::make_shared<swarm::Share>(pieces->table(), news, make(pieces)), is_holder);
    }
    test::TempFolder scratch{true};
    Node node;
};

class TextReader final : public swarm::PieceReader {
  public:
    explicit TextReader(std::string bytes) : bytes_(std::move(bytes)) {}
    Result<size_t> read_some(std::span<std::byte> into) override {
        const size_t count = bytes_.copy(reinterpret_cast<char*>(into.data()), into.size(), at_);
        at_ += count;
        return count;
    }

  private:
    const std::string bytes_;
    size_t at_ = 0;
};

/// Gives nothing of what it says that it has.
class Nothing : public swarm::PieceBytes {
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

/// As Nothing, and this as its snapshot's manifest.
class OnlyManifest final : public Nothing {
  public:
    explicit OnlyManifest(std::string manifest) : manifest_(std::move(manifest)) {}
    Result<std::unique_ptr<swarm::PieceReader>> open_manifest() const override {
        return std::make_unique<TextReader>(manifest_);
    }

  private:
    const std::string manifest_;
};

/// As Nothing, but says so only when it is let go: until then it sends no byte.
class Hanging final : public Nothing {
  public:
    Result<std::unique_ptr<swarm::PieceReader>> open(uint64_t piece) const override {
        while (!let_go) std::this_thread::sleep_for(std::chrono::milliseconds(5));
        return Nothing::open(piece);
    }
    std::atomic<bool> let_go{false};
};

/// Gives a byte of each piece at a time, until it is let go.
class Dripping final : public Nothing {
  public:
    Result<std::unique_ptr<swarm::PieceReader>> open(uint64_t) const override {
        ++asked;
        return std::make_unique<Reader>(*this);
    }
    std::atomic<bool> let_go{false};

  private:
    class Reader final : public swarm::PieceReader {
      public:
        explicit Reader(const Dripping& of) : of_(of) {}
        Result<size_t> read_some(std::span<std::byte> into) override {
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
            into[0] = std::byte{1};
            return size_t{of_.let_go ? 0u : 1u};
        }

      private:
        const Dripping& of_;
    };
};

/// Gives the pieces of a folder, with one bit changed of every `one_in`th. What it signs is what they should be, or
/// what it sends.
class Flipped final : public swarm::PieceBytes {
  public:
    Flipped(std::shared_ptr<const PieceList> pieces, std::string folder, bool signs_what_it_sends, uint64_t one_in = 1)
        : pieces_(std::move(pieces)),
          folder_(std::move(folder)),
          signs_what_it_sends_(signs_what_it_sends),
          one_in_(one_in) {}
    Result<std::unique_ptr<swarm::PieceReader>> open(uint64_t piece) const override {
        return std::make_unique<TextReader>(content(piece, true));
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
    std::string content(uint64_t piece, bool is_flipped) const {
        const swarm::Piece what = pieces_->table().at(piece);
        std::string bytes;
        for (const PieceFile& file : pieces_->files_of(piece).value())
            bytes += content_of(fs::path(folder_) / file.record.entry.path);
        if (what.is_chunk) bytes = bytes.substr(what.chunk * kChunkBytes, what.size_bytes);
        if (is_flipped && piece % one_in_ == 0)
            bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
        return bytes;
    }
    const std::shared_ptr<const PieceList> pieces_;
    const std::string folder_;
    const bool signs_what_it_sends_;
    const uint64_t one_in_;
};

/// One strike more bans it.
void strike_once_short(Node& node, const std::string& member) {
    for (uint64_t i = 1; i < swarm::Bans::kStrikes; ++i) node.bans.strike(member, swarm::Strike::wrong_bytes);
}

/// All of it, and nothing wrong.
const SyncReport& gets_it(Node& node, const Dataset& dataset) {
    node.start(dataset.folder.path(), 500);
    const auto& report = node.ended();
    if (!report) FAIL(report.error().line());
    CHECK(dataset.is(report->path));
    return *report;
}

/// And nothing from members, whatever they offer.
void gets_all_from_origin(Node& node, const Dataset& dataset) {
    const SyncReport& report = gets_it(node, dataset);
    CHECK(report.bytes_fetched == report.bytes);
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
    strike_once_short(node, "liar");
    gets_all_from_origin(node, dataset);
    REQUIRE(node.bans.banned().size() == 1);
    CHECK(node.bans.banned()[0].member == "liar");
    CHECK(node.bans.banned()[0].reason == swarm::Strike::wrong_bytes);
}

TEST_CASE("of a member that damages some pieces the others are taken, and none that is damaged") {
    const Dataset dataset;
    test::IntroducerInProcess controller;
    const Byzantine liar(controller, dataset, [&](auto pieces) {
        return std::make_shared<Flipped>(pieces, dataset.folder.path(), /*signs_what_it_sends=*/false, /*one_in=*/5);
    });
    Node node("node", controller);
    const SyncReport& report = gets_it(node, dataset);
    CHECK(report.bytes_received > 0);
    CHECK(report.bytes_fetched > 0);
    CHECK(report.bytes_fetched + report.bytes_received == report.bytes);
}

namespace {

/// A node that waits for nobody long. It is struck twice already, so that one strike more bans.
struct Impatient : Node {
    explicit Impatient(test::IntroducerInProcess& to) : Node("node", to) {
        limits.header_timeout_ms = limits.min_rate_window_ms = 300;
        strike_once_short(*this, "liar");
    }
};

template <class Slow>
void bans_the_slow() {
    const Dataset dataset;
    test::IntroducerInProcess controller;
    const auto slow = std::make_shared<Slow>();
    const Byzantine liar(controller, dataset, [&](auto) { return slow; });
    Impatient node(controller);
    gets_all_from_origin(node, dataset);
    CHECK(node.bans.is_banned("liar"));
    slow->let_go = true;
}

}  // namespace

TEST_CASE("a member that takes questions and answers nothing is banned, and the origin is asked") {
    bans_the_slow<Hanging>();
}

TEST_CASE("a member that sends a byte at a time is banned, and the origin is asked") { bans_the_slow<Dripping>(); }

TEST_CASE("a member whose certificate is of another CA vouches for nothing") {
    const Dataset dataset;
    test::IntroducerInProcess controller;
    Node stranger("stranger", controller), node("node", controller);
    stranger.start(dataset.folder.path());
    REQUIRE(stranger.ended());
    stranger.identity = test::MembersCa().certify("stranger");
    REQUIRE(controller.meet({.name = stranger.name, .address = stranger.address()}));
    strike_once_short(node, "stranger");
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

namespace {

constexpr uint64_t kNeverForgetMs = 3'600'000;

/// A node that has synced it, and gives it from its snapshot alone. Controllers know the snapshot.
struct Holder {
    Holder(test::IntroducerInProcess& controller, const Dataset& dataset) : node("holder", controller) {
        node.settle_ms = 0;
        node.start(dataset.folder.path());
        REQUIRE(node.ended());
        controller.snapshot = node.result->snapshot;
        auto share = share_of_snapshot(*node.store, node.result->snapshot, system_fs(), system_random());
        REQUIRE(share);
        node.give(node.result->revision, std::move(*share));
    }
    Node node;
};

std::string manifest_of_another() {
    const test::TempFolder folder(true);
    const std::string path = folder.path() + "/manifest";
    const Fd file = system_fs().open(AT_FDCWD, path.c_str(), O_RDWR | O_CREAT, 0600).value();
    const auto writer = store::ManifestWriter::create(system_fs(), file.get());
    store::ManifestEntry entry;
    entry.path = "middle", entry.size_bytes = 1, entry.digest = {DigestKind::sha256, Sha256::of("x")};
    REQUIRE(writer->add(entry));
    REQUIRE(writer->finish());
    return content_of(path);
}

}  // namespace

TEST_CASE("where the snapshot is known, what is not of it is not taken, whoever has signed it") {
    const Dataset dataset;
    test::IntroducerInProcess controller(kNeverForgetMs);
    const Holder holder(controller, dataset);
    const Byzantine liar(controller, dataset, [&](auto pieces) {
        return std::make_shared<Flipped>(pieces, dataset.folder.path(), /*signs_what_it_sends=*/true);
    });
    Node node("node", controller);
    strike_once_short(node, "liar");
    node.settle_ms = 0;
    const SyncReport& report = gets_it(node, dataset);
    CHECK(report.bytes_received == report.bytes);
    REQUIRE(node.bans.banned().size() == 1);
    CHECK(node.bans.banned()[0].member == "liar");
    CHECK(node.bans.banned()[0].reason == swarm::Strike::wrong_bytes);
}

TEST_CASE("a holder whose manifest is not the snapshot's is struck, and what it gives is not believed") {
    const Dataset dataset;
    test::IntroducerInProcess elsewhere;
    const Holder honest(elsewhere, dataset);
    for (const std::string& manifest :
         {manifest_of_another(), std::string(), std::string(1'000, 'x'), std::string(8 << 20, 'x')}) {
        INFO(manifest.size(), " bytes");
        test::IntroducerInProcess controller(kNeverForgetMs);
        controller.snapshot = elsewhere.snapshot;
        const Byzantine liar(
            controller, dataset, [&](auto) { return std::make_shared<OnlyManifest>(manifest); }, /*is_holder=*/true);
        Node node("node", controller);
        strike_once_short(node, "liar");
        node.settle_ms = 0;
        gets_all_from_origin(node, dataset);
        CHECK(node.bans.is_banned("liar"));
    }
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
    const SyncReport& report = gets_it(node, dataset);
    CHECK(report.snapshot == controller.snapshot);
}

}  // namespace zcdp::sync
