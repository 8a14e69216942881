// Members of one swarm in this process, over real sockets: servers, sessions and one introducer; their bytes in memory.
#include "zcdp/swarm/session.hpp"

#include <atomic>
#include <thread>

#include "tests/support/doctest.hpp"
#include "tests/support/identities.hpp"
#include "tests/support/introductions.hpp"
#include "zcdp/swarm/peer_client.hpp"
#include "zcdp/swarm/peer_server.hpp"

namespace zcdp::swarm {
namespace {

constexpr uint64_t kPieces = 120;

/// Each piece is a run of as many files of a byte as a run holds.
PieceTable table() {
    PieceTable out;
    for (uint64_t i = 0; i < kPieces * kPieceFilesMost; ++i) out.add_file(1);
    out.finish();
    return out;
}

std::string content_of(uint64_t piece) {
    std::string out(kPieceFilesMost, '\0');
    SeededRandom random(piece + 1);
    random.fill(std::as_writable_bytes(std::span(out)));
    return out;
}

/// What a member has, for its server and for its session.
class MemoryPieces final : public PieceBytes {
    class Reader final : public PieceReader {
      public:
        explicit Reader(std::string content) : content_(std::move(content)) {}
        Result<size_t> read_some(std::span<std::byte> into) override {
            const size_t count = std::min(into.size(), content_.size() - at_);
            std::memcpy(into.data(), content_.data() + at_, count);
            at_ += count;
            return count;
        }

      private:
        const std::string content_;
        size_t at_ = 0;
    };

  public:
    Result<std::unique_ptr<PieceReader>> open(uint64_t piece) const override {
        const MutexLock lock(mutex_);
        const auto at = pieces_.find(piece);
        if (at == pieces_.end()) return Error(ErrorKind::not_found, "is not here");
        return std::make_unique<Reader>(at->second);
    }
    std::optional<net::server::FileRange> file_of(uint64_t) const override { return std::nullopt; }
    Result<PieceDigest> digest_of(uint64_t piece) const override { return Sha256::of(content_of(piece)); }
    Result<std::string> claim_of(uint64_t) const override { return std::string(); }
    Result<std::unique_ptr<PieceReader>> open_manifest() const override {
        if (manifest.empty()) return PieceBytes::open_manifest();
        return std::make_unique<Reader>(manifest);
    }
    std::string manifest;  ///< set before it is given
    void put(uint64_t piece, std::string content) {
        const MutexLock lock(mutex_);
        pieces_[piece] = std::move(content);
    }
    bool is_whole() const {
        const MutexLock lock(mutex_);
        for (uint64_t piece = 0; piece < kPieces; ++piece)
            if (!pieces_.contains(piece) || pieces_.at(piece) != content_of(piece)) return false;
        return true;
    }

  private:
    mutable Mutex mutex_;
    std::map<uint64_t, std::string> pieces_ ZCDP_GUARDED_BY(mutex_);
};

struct Origin {
    std::atomic<uint64_t> drawn{0};
    std::atomic<bool> is_broken{false};
    uint64_t takes_ms = 5;
};

class MemoryKeeper final : public Keeper {
  public:
    MemoryKeeper(MemoryPieces& pieces, Origin& origin) : pieces_(pieces), origin_(origin) {}
    Task<Result<>> draw(uint64_t piece) override {
        ++origin_.drawn;
        co_await sleep_ms(origin_.takes_ms);
        if (origin_.is_broken) co_return Error(ErrorKind::denied, "on purpose");
        pieces_.put(piece, content_of(piece));
        co_return Result<>();
    }
    Task<Received> receive(uint64_t piece, net::Endpoint member) override {
        if (!http_)
            http_ = net::make_http_client(co_await asio::this_coro::executor, {}, system_clock(), metrics_, log_);
        PeerClient client(*http_, "swarm", kPieces);
        auto answer = co_await client.piece(std::move(member), piece, kPieceFilesMost);
        if (!answer) co_return Received{.theirs = std::move(answer).error(), .ours = {}};
        auto content = co_await answer->body->read_all(kPieceFilesMost);
        if (!content) co_return Received{.theirs = std::move(content).error(), .ours = {}};
        if (*content != content_of(piece))
            co_return Received{.theirs = Error(ErrorKind::corrupt, "other bytes"), .ours = {}};
        pieces_.put(piece, std::move(*content));
        co_return Received{};
    }

    Task<Received> compare(uint64_t piece, std::string claim) override {
        claims.push_back(std::move(claim));
        auto drawn = co_await draw(piece);
        if (!drawn) co_return Received{.theirs = {}, .ours = std::move(drawn).error()};
        co_return Received{};
    }
    Task<Result<bool>> prove(std::string snapshot, std::unique_ptr<net::Response> manifest) override {
        auto said = co_await manifest->read_all(1'000);
        if (!said) co_return std::move(said).error();
        manifests.push_back(*said);
        if (*said != snapshot) co_return Error(ErrorKind::corrupt, "is another's");
        co_return true;
    }
    std::vector<std::string> claims;  ///< that were to be compared

    std::vector<std::string> manifests;  ///< that were read
    /// Before its loop ends.
    void close() { http_.reset(); }

  private:
    MemoryPieces& pieces_;
    Origin& origin_;
    Logger log_{system_clock(), 2, LogLevel::off, LogFormat::text};
    Metrics metrics_;
    std::unique_ptr<net::HttpClient> http_;
};

using Controller = test::IntroducerInProcess;

struct Member {
    Member(std::string name_given, Controller& to, Origin& origin, bool has_all = false)
        : name(std::move(name_given)), controller(to), keeper(*pieces, origin) {
        HaveMap have(kPieces);
        if (has_all)
            for (uint64_t piece = 0; piece < kPieces; ++piece) pieces->put(piece, content_of(piece)), have.set(piece);
        share = std::make_shared<Share>(table(), News{system_random().u64(), have, have, HaveMap(kPieces)}, pieces);
        peers.add("swarm", share);
        server = net::server::Server::open({.listen = "127.0.0.1:0"}, pool, peers.handler(), log).value();
    }
    ~Member() {
        stop.request_stop();
        if (thread.joinable()) thread.join();
        peers.close();
        server.reset();
    }
    std::string address() const { return "127.0.0.1:" + std::to_string(server->port()); }
    void start() {
        thread = std::thread([this] {
            Session session(
                {.swarm = "swarm",
                 .revision = Revision("r"),
                 .self = name,
                 .address = address(),
                 .settle_ms = settle_ms,
                 .settle_getters = settle_getters,
                 .compare_one_in = compare_one_in,
                 .chooser = {.draws = {.late_ms_least = 60'000, .unknown_ms = 300}, .budget = budget}},
                share, keeper, bans,
                [this](asio::any_io_executor executor) {
                    return net::make_http_client(executor, {}, system_clock(), metrics, log);
                },
                [this](asio::any_io_executor) { return controller.door(); }, system_clock(), random, log);
            result = session.run(stop.get_token());
            keeper.close();
        });
    }
    const Result<SessionReport>& ended() {
        thread.join();
        return result;
    }
    const std::string name;
    Logger log{system_clock(), 2, LogLevel::off, LogFormat::text};
    Metrics metrics;
    asio::thread_pool pool{2};
    SeededRandom random{std::hash<std::string>()(name)};
    std::shared_ptr<MemoryPieces> pieces = std::make_shared<MemoryPieces>();
    Controller& controller;
    MemoryKeeper keeper;
    uint32_t compare_one_in = 1'000'000;
    uint64_t settle_ms = 600;
    uint32_t settle_getters = 0;
    OriginBudgetOptions budget = {};
    Bans bans{system_clock(), metrics, log};
    std::shared_ptr<Share> share;
    PeerServer peers{pool, {.identity = [this] { return identity; }}};
    std::shared_ptr<const Identity> identity;
    std::unique_ptr<net::server::Server> server;
    std::stop_source stop;
    std::thread thread;
    Result<SessionReport> result;
};

std::vector<std::unique_ptr<Member>> members_of(size_t count, Controller& controller, Origin& origin) {
    std::vector<std::unique_ptr<Member>> out;
    for (size_t i = 0; i < count; ++i)
        out.push_back(std::make_unique<Member>("node-" + std::to_string(i), controller, origin));
    return out;
}

}  // namespace

TEST_CASE("eight members get all, and the origin gives each piece once") {
    Controller controller;
    Origin origin;
    auto members = members_of(8, controller, origin);
    for (auto& member : members) member->start();
    uint64_t drawn = 0;
    for (auto& member : members) {
        const auto& report = member->ended();
        REQUIRE(report);
        drawn += report->pieces_drawn;
        CHECK(report->pieces_drawn + report->pieces_received >= kPieces);
        CHECK(report->failures == 0);
        CHECK(member->pieces->is_whole());
    }
    CHECK(drawn == origin.drawn);
    CHECK(origin.drawn <= kPieces * 105 / 100);
}

TEST_CASE("who knows how many get it waits until all of them are there, and no longer") {
    Controller controller;
    Origin origin;
    auto members = members_of(3, controller, origin);
    const auto began = std::chrono::steady_clock::now();
    for (auto& member : members) {
        member->settle_ms = 60'000, member->settle_getters = 3;
        member->start();
        std::this_thread::sleep_for(std::chrono::milliseconds(300));
    }
    for (auto& member : members) REQUIRE(member->ended());
    CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(30));
    CHECK(origin.drawn <= kPieces * 105 / 100);
}

TEST_CASE("a member alone draws all itself; one that comes later draws nothing") {
    Controller controller;
    Origin origin;
    auto members = members_of(2, controller, origin);
    members[0]->start();
    REQUIRE(members[0]->ended());
    CHECK(origin.drawn == kPieces);
    MemberNews holder{
        .name = "node-0", .address = members[0]->address(), .zone = "", .is_holder = true, .neighbours = {}};
    REQUIRE(controller.meet(holder));
    members[1]->start();
    REQUIRE(members[1]->ended());
    CHECK(members[1]->pieces->is_whole());
    CHECK(origin.drawn == kPieces);
}

TEST_CASE("what a member has is compared with the origin now and then, by the claim that the member gives of it") {
    Controller controller;
    Origin origin;
    const test::MembersCa ca;
    Member holder("holder", controller, origin, /*has_all=*/true), getter("getter", controller, origin);
    holder.identity = ca.certify("holder");
    REQUIRE(controller.meet(
        {.name = "holder", .address = holder.address(), .zone = "", .is_holder = true, .neighbours = {}}));
    getter.compare_one_in = 4;
    getter.start();
    const auto& report = getter.ended();
    REQUIRE(report);
    CHECK(report->pieces_compared > 0);
    CHECK(report->pieces_received > report->pieces_compared);
    CHECK(origin.drawn == report->pieces_compared);
    const auto identity = ca.certify("getter");
    REQUIRE(getter.keeper.claims.size() == report->pieces_compared);
    for (const std::string& claim : getter.keeper.claims) {
        bool is_of_some_piece = false;
        for (uint64_t piece = 0; piece < kPieces && !is_of_some_piece; ++piece) {
            const auto claimed = identity->read(claim, "swarm", piece);
            is_of_some_piece = claimed && claimed->by == "holder" && claimed->digest == Sha256::of(content_of(piece));
        }
        CHECK(is_of_some_piece);
    }
}

TEST_CASE(
    "where the snapshot is known its manifest comes first, from the first holder that has it, and nothing is "
    "compared") {
    Controller controller;
    Origin origin;
    controller.snapshot = "the snapshot";
    std::vector<std::unique_ptr<Member>> holders;
    for (const char* manifest : {"", "of another", "the snapshot"}) {
        holders.push_back(std::make_unique<Member>("holder-" + std::to_string(holders.size()), controller, origin,
                                                   /*has_all=*/true));
        holders.back()->pieces->manifest = manifest;
    }
    for (auto& holder : holders)
        REQUIRE(controller.meet(
            {.name = holder->name, .address = holder->address(), .zone = "", .is_holder = true, .neighbours = {}}));
    Member getter("getter", controller, origin);
    getter.compare_one_in = 1;
    getter.start();
    const auto& report = getter.ended();
    REQUIRE(report);
    CHECK(report->is_proven);
    CHECK(getter.keeper.manifests.back() == "the snapshot");
    CHECK(getter.pieces->is_whole());
    CHECK(report->pieces_compared == 0);
    CHECK(origin.drawn == 0);
}

TEST_CASE("where nobody has the manifest, or controllers know no snapshot, claims do") {
    for (const char* snapshot : {"", "the snapshot"}) {
        Controller controller;
        Origin origin;
        controller.snapshot = snapshot;
        Member holder("holder", controller, origin, /*has_all=*/true), getter("getter", controller, origin);
        REQUIRE(controller.meet(
            {.name = "holder", .address = holder.address(), .zone = "", .is_holder = true, .neighbours = {}}));
        getter.start();
        const auto& report = getter.ended();
        REQUIRE(report);
        CHECK(!report->is_proven);
        CHECK(report->failures == 0);
        CHECK(getter.pieces->is_whole());
        CHECK(origin.drawn == 0);
    }
}

TEST_CASE("what a member that goes had to draw, or alone had, is drawn by the others soon") {
    Controller controller;
    Origin origin{.takes_ms = 50};
    auto members = members_of(3, controller, origin);
    for (auto& member : members) {
        member->settle_getters = 3;
        member->budget = {.percent = 1'000, .unheard_ms = 0};  // it is not what is waited for
        member->start();
    }
    while (origin.drawn < kPieces / 3) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    controller.is_away = true;  // else it would say so
    members.pop_back();
    const Deadline soon = Deadline::in_ms(20'000);
    for (auto& member : members) {
        REQUIRE(member->ended().has_value());
        CHECK(member->pieces->is_whole());
    }
    CHECK_FALSE(soon.passed());
    CHECK(origin.drawn <= kPieces + kPieces / 5);
}

TEST_CASE("who is banned is asked nothing") {
    Controller controller;
    Origin origin;
    Member holder("holder", controller, origin, /*has_all=*/true), getter("getter", controller, origin);
    REQUIRE(controller.meet(
        {.name = "holder", .address = holder.address(), .zone = "", .is_holder = true, .neighbours = {}}));
    for (uint64_t i = 0; i < Bans::kStrikes; ++i) getter.bans.strike("holder", Strike::wrong_bytes);
    getter.start();
    const auto& report = getter.ended();
    REQUIRE(report);
    CHECK(report->pieces_received == 0);
    CHECK(origin.drawn == kPieces);
}

TEST_CASE("a member whose have-map grows and shrinks costs time, and nothing else") {
    Controller controller;
    Origin origin;
    Member fickle("fickle", controller, origin, /*has_all=*/true), getter("getter", controller, origin);
    REQUIRE(controller.meet({.name = "fickle", .address = fickle.address(), .zone = "", .neighbours = {}}));
    std::jthread changes_its_mind([&fickle](const std::stop_token& stop) {
        HaveMap all(kPieces), some(kPieces);
        all.set_all();
        for (uint64_t at = 0; !stop.stop_requested(); ++at) {
            some.set(at % kPieces);
            some.clear((at + kPieces / 2) % kPieces);
            fickle.share->tell(at % 2 == 0 ? all : some, all, HaveMap(kPieces));
            std::this_thread::sleep_for(std::chrono::milliseconds(15));
        }
    });
    getter.start();
    const auto& report = getter.ended();
    REQUIRE(report);
    CHECK(getter.pieces->is_whole());
    CHECK(getter.bans.banned().empty());
}

TEST_CASE("a member that has a rate sends no faster") {
    Controller controller;
    Origin origin;
    Member slow("slow", controller, origin, true);
    PeerServer paced(slow.pool, {.rate = UploadRate{10 * kPieceFilesMost, system_clock()}});
    paced.add("swarm", slow.share);
    slow.server = net::server::Server::open({.listen = "127.0.0.1:0"}, slow.pool, paced.handler(), slow.log).value();
    MemoryPieces got;
    MemoryKeeper keeper(got, origin);
    const net::Endpoint at = net::Endpoint::parse("http://" + slow.address()).value();
    const auto began = std::chrono::steady_clock::now();
    asio::io_context loop;
    for (uint64_t piece = 0; piece < 5; ++piece)
        asio::co_spawn(loop, keeper.receive(piece, at),
                       [](std::exception_ptr, Received received) { CHECK_FALSE(received.theirs.has_value()); });
    loop.run_for(std::chrono::seconds(20));
    CHECK(std::chrono::steady_clock::now() - began >= std::chrono::milliseconds(400));
    keeper.close();
    paced.close();
    slow.server.reset();
}

TEST_CASE("an origin that refuses ends the session with its error") {
    Controller controller;
    Origin origin;
    origin.is_broken = true;
    auto members = members_of(1, controller, origin);
    members[0]->start();
    const auto& report = members[0]->ended();
    REQUIRE(!report);
    CHECK(report.error().kind() == ErrorKind::denied);
}

TEST_CASE("a session that is stopped ends soon") {
    Controller controller;
    Origin origin;
    origin.takes_ms = 100'000;
    auto members = members_of(2, controller, origin);
    for (auto& member : members) member->start();
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    const auto began = std::chrono::steady_clock::now();
    members[0]->stop.request_stop();
    const auto& report = members[0]->ended();
    CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(5));
    REQUIRE(!report);
    CHECK(report.error().kind() == ErrorKind::interrupted);
}

}  // namespace zcdp::swarm
