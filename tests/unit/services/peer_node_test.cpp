// Agents that give a dataset to each other over TLS, each with its own store, in this process.
#include "src/services/agent/peer_node.hpp"

#include <filesystem>

#include "src/services/agent/transfers.hpp"
#include "src/services/peers/controller_client.hpp"
#include "tests/support/doctest.hpp"
#include "tests/support/swarm_nodes.hpp"
#include "zcdp/sync/held_snapshot.hpp"

namespace zcdp::services::agent {
namespace {

using test::IntroducerInProcess;
using test::TempFolder;
using test::TempStore;

constexpr int kLooks = 1'500, kLookMs = 20;

net::KeyPair new_ca() { return net::make_ca("test", system_clock().unix_s(), 10).value(); }

PeerNode::Identity identity_for(const std::string& node, const net::KeyPair& ca, int64_t valid_s = 3'600) {
    const auto request = net::make_certificate_request(node).value();
    const int64_t now_s = system_clock().unix_s();
    const auto own = net::sign_certificate_request(ca, request.request_pem, node, {node}, now_s, valid_s).value();
    return std::make_shared<const peers::NodeIdentity::Held>(
        peers::NodeIdentity::Held{{own, request.key_pem}, ca.certificate_pem, now_s + valid_s});
}

Task<Result<>> ask_news(net::HttpClient& http, net::Endpoint of, std::string target, int* status) {
    net::Request request;
    request.target = std::move(target);
    ZCDP_CO_TRY(const auto answer, co_await http.send(std::move(of), std::move(request), Deadline::in_ms(5'000)));
    *status = answer->status();
    co_return Result<>();
}

/// What both sides need: a folder, and the controller's part.
struct Cluster {
    Cluster() {
        test::write_random(source.path() + "/long", (17 << 20) + 5, 1);
        for (uint64_t i = 0; i < 20; ++i) test::write_random(source.path() + "/short/" + std::to_string(i), 1 + i, i);
        wanted.metadata.name = "n";
        wanted.spec.dataset = {"team", "d", "uid"};
        wanted.spec.revision = listed().revision;
    }
    sync::ListingSummary listed() {
        Logger log(system_clock(), 2, LogLevel::off, LogFormat::text);
        Metrics metrics;
        const Machine machine{
            system_fs(), system_clock(), system_random(), metrics, log, [](const char*) { return std::string(); }};
        sync::SyncOptions options;
        options.source = source.path() + "/";
        const auto factory = origin::make_origin_factory(options.source, {}, machine).value();
        sync::Progress progress;
        const TempFolder scratch(true);
        return sync::list_source(options, factory, machine, scratch.path(), progress, {}, {}).value();
    }
    /// The same for a node that asks nobody else.
    api::NodeDataset alone() const {
        api::NodeDataset out = wanted;
        out.spec.transfer.peers = api::PeerUse::never;
        return out;
    }
    const TempFolder source{true};
    IntroducerInProcess controller;
    const net::KeyPair ca = new_ca();
    api::NodeDataset wanted;
};

struct Agent {
    Agent(std::string name_given, Cluster& cluster_given, PeerNode::Identity identity = nullptr, int refusals = 0,
          uint64_t bytes_per_second = 0)
        : name(std::move(name_given)),
          cluster(cluster_given),
          refuses(refusals),
          store(temp.open()),
          peers({.node = name, .listen = "127.0.0.1:0", .address = "127.0.0.1:0", .bytes_per_second = bytes_per_second},
                {.machine = machine(),
                 .identity = [this, held = identity ? identity
                                                    : identity_for(name, cluster.ca)]() -> Result<PeerNode::Identity> {
                     if (refuses-- > 0) return Error(ErrorKind::unreachable, "no controller", "https://c");
                     return held;
                 },
                 .introductions = [this](asio::any_io_executor,
                                         const api::NodeDataset&) { return cluster.controller.door(); },
                 .share_of =
                     [this](const std::string& snapshot) {
                         return sync::share_of_snapshot(*store, snapshot, system_fs(), system_random());
                     },
                 .changed = [this](const std::string&) { ++changes; }}),
          transfers(
              {*store, machine(), metrics, log, [this](const api::NodeDataset& of) { return peers.peers_of(of); }},
              [this](const api::NodeDataset&) -> Result<backend::BackendAccess> {
                  backend::BackendAccess access;
                  access.source = cluster.source.path() + "/";
                  return access;
              },
              [](const api::NodeDataset&, const backend::BackendAccess& access, Machine labelled) {
                  return origin::make_origin_factory(access.source, access.options, labelled);
              },
              2, [](const std::string&) {}) {}
    Machine machine() {
        return {system_fs(), system_clock(), system_random(), metrics, log, [](const char*) { return std::string(); }};
    }
    /// Syncs it to its end.
    TransferView get(const api::NodeDataset& wanted) {
        transfers.ensure(wanted);
        for (int looks = 0; looks < kLooks; ++looks) {
            const uint64_t seen = transfers.changes();
            const auto view = transfers.view(wanted.metadata.name);
            if (view->phase == TransferPhase::ready) return *view;
            if (view->error) FAIL(view->error->line());
            transfers.wait_for_change(seen, kLookMs);
        }
        FAIL("a transfer does not end");
        return {};
    }
    /// Where it is given, once it is.
    std::string given_at(const api::NodeDataset& object, const std::string& snapshot) {
        for (int looks = 0; looks < kLooks; ++looks) {
            const std::string address = peers.give(object, snapshot);
            if (!address.empty()) return address;
            std::this_thread::sleep_for(std::chrono::milliseconds(kLookMs));
        }
        FAIL("it is not given");
        return "";
    }
    /// Gets it, gives it, and the controller knows.
    void hold() {
        const std::string address = given_at(cluster.wanted, get(cluster.wanted).snapshot);
        REQUIRE(cluster.controller.meet({.name = name, .address = address, .is_holder = true}));
    }
    /// Whether it answers, under its own name, who asks with these.
    bool answers(const std::string& address, const net::TlsOptions& tls) {
        net::HttpClientOptions client;
        client.tls = net::make_tls_context(tls);
        auto endpoint = net::Endpoint::parse("https://" + address).value();
        endpoint.tls_name = name;
        const auto swarm = sync::swarm_name(cluster.wanted.spec.dataset.uid, cluster.wanted.spec.revision);
        int status = 0;
        const auto ask = [&](net::HttpClient& http) {
            return ask_news(http, endpoint, swarm::news_target(swarm, 0, 0), &status);
        };
        return services::peers::with_client(std::move(client), machine(), ask) && status == 200;
    }
    bool counted(const std::string& line) const {
        return metrics.prometheus_text().find("\n" + line + "\n") != std::string::npos;
    }

    const std::string name;
    Cluster& cluster;
    std::atomic<int> refuses, changes{0};
    Metrics metrics;
    Logger log{system_clock(), 2, LogLevel::off, LogFormat::text};
    TempStore temp{system_fs(), true};
    std::unique_ptr<store::Store> store;
    PeerNode peers;
    Transfers transfers;  // last: its threads use the others
};

}  // namespace

TEST_CASE("a node that comes later gets all of a dataset from one that has it, and both count it") {
    Cluster cluster;
    Agent first("first", cluster), second("second", cluster);
    first.hold();
    CHECK(first.changes == 1);
    const TransferView view = second.get(cluster.wanted);
    CHECK(view.origin_bytes == 0);
    CHECK(view.peer_bytes == view.size_bytes);
    const std::string bytes = std::to_string(view.size_bytes);
    CHECK(first.counted("zcdp_peer_bytes_total{direction=\"sent\"} " + bytes));
    CHECK(second.counted("zcdp_peer_bytes_total{direction=\"received\"} " + bytes));
    REQUIRE(view.swarm);
    CHECK(view.swarm->neighbours == 1);
    CHECK(view.swarm->pieces > 0);
    CHECK(view.swarm->drawn.owned == 0);
}

TEST_CASE("a dataset's budget is that of its syncs") {
    Cluster cluster;
    Agent agent("first", cluster);
    api::NodeDataset wanted = cluster.wanted;
    CHECK(agent.peers.peers_of(wanted)->chooser.budget.percent == 105);
    wanted.spec.transfer.origin_budget_percent = 120;
    CHECK(agent.peers.peers_of(wanted)->chooser.budget.percent == 120);
}

TEST_CASE("a dataset whose nodes are not to ask each other comes from the origin, and nobody is given it") {
    Cluster cluster;
    Agent first("first", cluster), second("second", cluster);
    first.hold();
    const api::NodeDataset alone = cluster.alone();
    const TransferView view = second.get(alone);
    CHECK(view.origin_bytes == view.size_bytes);
    CHECK(view.peer_bytes == 0);
    CHECK(second.peers.give(alone, view.snapshot).empty());
    CHECK(first.peers.give(alone, view.snapshot).empty());           // it was given before
    CHECK(first.peers.give(cluster.wanted, view.snapshot).empty());  // and is anew, in a moment
}

TEST_CASE("nobody is believed to be another node than its certificate says, and the origin is asked") {
    Cluster cluster;
    Agent liar("liar", cluster), node("node", cluster);
    const std::string address = liar.given_at(cluster.wanted, liar.get(cluster.alone()).snapshot);
    REQUIRE(cluster.controller.meet({.name = "other", .address = address, .is_holder = true}));
    const TransferView view = node.get(cluster.wanted);
    CHECK(view.origin_bytes == view.size_bytes);
    CHECK(view.peer_bytes == 0);
}

TEST_CASE("whose certificate is of another CA gets nothing") {
    Cluster cluster;
    const net::KeyPair elsewhere = new_ca();
    auto identity = *identity_for("stranger", elsewhere);
    identity.ca_pem = cluster.ca.certificate_pem;  // it believes the others
    Agent first("first", cluster);
    Agent stranger("stranger", cluster, std::make_shared<const peers::NodeIdentity::Held>(identity));
    first.hold();
    const TransferView view = stranger.get(cluster.wanted);
    CHECK(view.peer_bytes == 0);
    CHECK(view.origin_bytes == view.size_bytes);
}

TEST_CASE("who has no certificate is answered nothing") {
    Cluster cluster;
    Agent first("first", cluster);
    const std::string address = first.given_at(cluster.wanted, first.get(cluster.wanted).snapshot);
    net::TlsOptions tls;
    tls.ca_pem = cluster.ca.certificate_pem;
    CHECK_FALSE(first.answers(address, tls));
    const auto known = identity_for("second", cluster.ca);
    tls.client_cert_pem = known->own.certificate_pem, tls.client_key_pem = known->own.key_pem;
    CHECK(first.answers(address, tls));
}

TEST_CASE("a certificate that expires in the middle of a sync costs nothing of the dataset") {
    constexpr int64_t kValidS = 4;
    constexpr uint64_t kBytesPerSecond = 3 << 20;
    Cluster cluster;
    Agent first("first", cluster, identity_for("first", cluster.ca, 3'600), 0, kBytesPerSecond);
    first.hold();
    const auto expiring = identity_for("second", cluster.ca, kValidS);
    Agent second("second", cluster, expiring);
    const TransferView view = second.get(cluster.wanted);
    CHECK(system_clock().unix_s() > expiring->ends_unix_s);
    CHECK(view.peer_bytes > 0);
    CHECK(view.origin_bytes + view.peer_bytes == view.size_bytes);
}

TEST_CASE("without a certificate a sync is an ordinary one, and what waits to be given is given once there is one") {
    Cluster cluster;
    Agent agent("node", cluster, nullptr, 2);
    const TransferView view = agent.get(cluster.wanted);
    CHECK(view.origin_bytes == view.size_bytes);
    CHECK(agent.peers.give(cluster.wanted, view.snapshot).empty());
    for (int looks = 0; looks < kLooks && agent.changes == 0; ++looks)
        std::this_thread::sleep_for(std::chrono::milliseconds(kLookMs));
    CHECK(agent.changes == 1);
    CHECK(!agent.given_at(cluster.wanted, view.snapshot).empty());
}

TEST_CASE("what is taken back is given to nobody") {
    Cluster cluster;
    Agent first("first", cluster), second("second", cluster);
    first.hold();
    first.peers.take_back(cluster.wanted.metadata.name);
    const TransferView view = second.get(cluster.wanted);
    CHECK(view.origin_bytes == view.size_bytes);
}

}  // namespace zcdp::services::agent
