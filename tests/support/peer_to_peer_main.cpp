// What a node costs as a giver and as a getter, for bench/peer_to_peer.py:
//   peer_to_peer give STORE SNAPSHOT: gives it to others; prints "HOST:PORT", and ends with its input.
//   peer_to_peer get STORE SOURCE HOST:PORT: syncs SOURCE, the folder that the snapshot was made of, with the giver as
//   its only neighbour; prints how many bytes came from the origin and how many from the giver.
#include <fmt/core.h>

#include <cstdio>
#include <string_view>

#include "src/sync/swarm/swarm_feeder.hpp"
#include "zcdp/store/store.hpp"
#include "zcdp/swarm/peer_server.hpp"
#include "zcdp/sync/held_snapshot.hpp"
#include "zcdp/sync/peers.hpp"
#include "zcdp/sync/sync.hpp"

using namespace zcdp;

namespace {

constexpr const char* kDataset = "the dataset";

struct Here {
    Metrics metrics;
    Logger log{system_clock(), 2, LogLevel::warn, LogFormat::text};
    Machine machine() {
        return {system_fs(), system_clock(), system_random(), metrics, log, [](const char*) { return std::string(); }};
    }
    Result<std::unique_ptr<store::Store>> open(const std::string& root) {
        return store::Store::open({.root = root, .holder = "peer_to_peer"}, system_fs(), system_clock(),
                                  system_random(), log, metrics);
    }
};

Result<> give(Here& here, const std::string& root, const std::string& snapshot) {
    ZCDP_TRY(const auto store, here.open(root));
    ZCDP_TRY(const auto info, store->find(snapshot));
    ZCDP_TRY(auto share, sync::share_of_snapshot(*store, snapshot, system_fs(), system_random()));
    asio::thread_pool pool(2);
    swarm::PeerServer peers(pool, {});
    peers.add(sync::swarm_name(kDataset, info.revision), std::move(share));
    ZCDP_TRY(const auto server, net::server::Server::open({.listen = "127.0.0.1:0"}, pool, peers.handler(), here.log));
    fmt::print("127.0.0.1:{}\n", server->port());
    std::fflush(stdout);
    while (std::getchar() != EOF) continue;
    peers.close();
    return {};
}

/// Who knows one holder.
class OneHolder final : public swarm::Introductions {
  public:
    explicit OneHolder(std::string address) : address_(std::move(address)) {}
    Task<Result<swarm::Introduction>> meet(swarm::MemberNews news) override {
        swarm::Introduction met;
        if (news.neighbours.empty()) met.neighbours.push_back({"giver", address_, true});
        met.owners = {news.name};
        met.members = 2, met.holders = 1, met.again_ms = 10'000;
        co_return met;
    }

  private:
    const std::string address_;
};

Result<> get(Here& here, const std::string& root, const std::string& source, const std::string& holder) {
    ZCDP_TRY(const auto store, here.open(root));
    asio::thread_pool pool(2);
    swarm::PeerServer peers(pool, {});
    const sync::Peers who{
        .dataset = kDataset,
        .self = "getter",
        .address = "127.0.0.1:1",
        .server = peers,
        .http =
            [&here](asio::any_io_executor executor) {
                return net::make_http_client(executor, {}, system_clock(), here.metrics, here.log);
            },
        .introductions = [holder](asio::any_io_executor) { return std::make_unique<OneHolder>(holder); }};
    sync::SyncOptions options;
    options.source = source, options.peers = &who;
    ZCDP_TRY(const auto factory, origin::make_origin_factory(source, {}, here.machine()));
    sync::Progress progress;
    ZCDP_TRY(const auto report, sync::run(options, store.get(), factory, here.machine(), progress, {}));
    peers.close();
    fmt::print("{} {}\n", report.bytes_fetched, report.bytes_received);
    return {};
}

}  // namespace

int main(int argc, char** argv) {
    const std::string_view mode = argc > 1 ? argv[1] : "";
    Here here;
    Result<> done = Error(ErrorKind::usage, "wrong arguments", "peer_to_peer");
    if (mode == "give" && argc == 4) done = give(here, argv[2], argv[3]);
    if (mode == "get" && argc == 5) done = get(here, argv[2], argv[3], argv[4]);
    if (done) return 0;
    fmt::print(stderr, "{}\n", done.error().line());
    return 1;
}
