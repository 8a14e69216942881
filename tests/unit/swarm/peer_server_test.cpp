// How many pieces a member sends at once, to members that read nothing.
#include "zcdp/swarm/peer_server.hpp"

#include <algorithm>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <thread>

#include "tests/support/doctest.hpp"
#include "zcdp/base/clock.hpp"

namespace zcdp::swarm {
namespace {

/// Pieces without an end, and how many are being sent.
class Endless final : public PieceBytes {
    class Reader final : public PieceReader {
      public:
        explicit Reader(std::atomic<int>& open) : open_(open) { ++open_; }
        ~Reader() override { --open_; }
        Result<size_t> read_some(std::span<std::byte> into) override {
            std::fill(into.begin(), into.end(), std::byte{1});
            return into.size();
        }

      private:
        std::atomic<int>& open_;
    };

  public:
    Result<std::unique_ptr<PieceReader>> open(uint64_t) const override { return std::make_unique<Reader>(sending); }
    std::optional<net::server::FileRange> file_of(uint64_t) const override { return std::nullopt; }
    Result<PieceDigest> digest_of(uint64_t) const override { return PieceDigest{}; }
    Result<std::string> claim_of(uint64_t) const override { return std::string(); }
    mutable std::atomic<int> sending{0};
};

struct Giver {
    Giver() {
        PieceTable table;
        for (int i = 0; i < 2; ++i) table.add_file(1);
        table.finish();
        HaveMap all(table.pieces());
        all.set_all();
        share = std::make_shared<Share>(table, News{1, all, all, HaveMap(all.pieces())}, bytes);
        peers.add("swarm", share);
        server = net::server::Server::open({.listen = "0.0.0.0:0"}, pool, peers.handler(), log).value();
    }
    ~Giver() {
        peers.close();
        server.reset();
    }
    /// A request from that address, whose answer nobody reads.
    asio::ip::tcp::socket ask(const char* from) {
        asio::ip::tcp::socket socket(loop);
        socket.open(asio::ip::tcp::v4());
        socket.bind({asio::ip::make_address(from), 0});
        socket.connect({asio::ip::make_address("127.0.0.1"), server->port()});
        asio::write(socket,
                    asio::buffer(std::string_view("GET /v1/swarms/swarm/pieces/0 HTTP/1.1\r\nHost: h\r\n\r\n")));
        return socket;
    }
    bool has_load(uint64_t load) const {
        for (int i = 0; i < 1000 && share->news().load != load; ++i)
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        return share->news().load == load;
    }
    bool sends(int count) const {
        for (int i = 0; i < 1000 && bytes->sending != count; ++i)
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        return bytes->sending == count;
    }
    Logger log{system_clock(), 2, LogLevel::off, LogFormat::text};
    const std::shared_ptr<Endless> bytes = std::make_shared<Endless>();
    asio::thread_pool pool{2};
    std::shared_ptr<Share> share;
    PeerServer peers{pool, {.slots = 2, .slots_alone = 5}};
    std::unique_ptr<net::server::Server> server;
    asio::io_context loop;
};

}  // namespace

TEST_CASE("a member that asks alone is sent more pieces at once than several are together") {
    Giver giver;
    std::vector<asio::ip::tcp::socket> first, second;
    for (int i = 1; i <= 7; ++i) {
        first.push_back(giver.ask("127.0.0.1"));
        CHECK(giver.sends(std::min(i, 5)));
    }
    second.push_back(giver.ask("127.0.0.2"));
    CHECK(giver.sends(5));
    first.erase(first.begin() + 4, first.end());
    CHECK(giver.sends(4));
    first.erase(first.begin() + 1, first.end());
    CHECK(giver.sends(2));
    first.clear();
    CHECK(giver.sends(1));
    for (int i = 0; i < 7; ++i) second.push_back(giver.ask("127.0.0.2"));
    CHECK(giver.sends(5));
}

TEST_CASE("a member's news say how many pieces are asked of it, also those that wait") {
    Giver giver;
    const uint64_t version = giver.share->news().version;
    std::vector<asio::ip::tcp::socket> asking;
    for (int i = 0; i < 3; ++i) asking.push_back(giver.ask("127.0.0.1")), asking.push_back(giver.ask("127.0.0.2"));
    CHECK(giver.sends(2));
    CHECK(giver.has_load(6));
    CHECK(giver.share->news().version > version);
    asking.clear();
    CHECK(giver.has_load(0));
}

}  // namespace zcdp::swarm
