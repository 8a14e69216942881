#include "src/services/agent/peer_node.hpp"

#include <boost/asio/post.hpp>
#include <utility>

#include "src/services/metrics.hpp"
#include "zcdp/base/backoff.hpp"
#include "zcdp/base/faults.hpp"
#include "zcdp/base/stop.hpp"
#include "zcdp/net/listen.hpp"

namespace zcdp::services::agent {
namespace {

constexpr uint64_t kRenewLookMs = 300'000, kFirstMs = 6'000;
constexpr uint64_t kTogetherMs = 1'500;  ///< nodes that are told at once begin within that time
constexpr BackoffLimits kServePauses{500, 15'000, Jitter::around};
constexpr uint32_t kConnectMs = 3'000, kProbeMs = 4'000;
constexpr unsigned kConnectionsMost = 1'024;

bool wants_peers(const api::NodeDataset& object) { return object.spec.transfer.peers != api::PeerUse::never; }

/// How this node chooses; the dataset has the budget.
swarm::ChooserOptions chooser_of(const api::NodeDataset& wanted) {
    swarm::ChooserOptions chooser;
    if (const uint32_t percent = wanted.spec.transfer.origin_budget_percent; percent > 0)
        chooser.budget.percent = percent;
    return chooser;
}

std::string swarm_of(const api::NodeDataset& object) {
    return sync::swarm_name(object.spec.dataset.uid, object.spec.revision);
}

swarm::PeerServerOptions server_options(const PeerNodeOptions& options, Machine machine, swarm::IdentityNow identity) {
    Metrics sent(machine.metrics, {{"direction", "sent"}});
    swarm::PeerServerOptions out{
        .slots = options.slots, .sent_bytes = &sent.counter(metric::peer_bytes), .identity = std::move(identity)};
    if (options.bytes_per_second > 0) out.rate.emplace(options.bytes_per_second, machine.clock);
    return out;
}

}  // namespace

PeerNode::PeerNode(PeerNodeOptions options, Parts parts)
    : options_(std::move(options)),
      parts_(std::move(parts)),
      bans_(parts_.machine.clock, parts_.machine.metrics, parts_.machine.log),
      peer_server_(disk_, server_options(options_, parts_.machine, [this] { return vouches(); })),
      first_(Deadline::in_ms(kFirstMs)),
      serving_([this](const std::stop_token& stop) { keep_serving(stop); }) {}

PeerNode::~PeerNode() {
    serving_.request_stop();
    shares_.stop();  // those that were not begun are not wanted any more
    serving_.join();
    shares_.join();
    peer_server_.close();
    server_.reset();
}

// --- serving ---

void PeerNode::keep_serving(const std::stop_token& stop) {
    Backoff pauses(kServePauses);
    uint64_t pause_ms = 0;
    std::string said;
    while (!wait_for_stop(stop, pause_ms)) {
        const Result<> served = serve();
        serves_.notify_all();
        if (served) pauses.reset();
        pause_ms = served ? kRenewLookMs : pauses.next(parts_.machine.random);
        const std::string error = served ? "" : served.error().line();
        if (std::exchange(said, error) == error || served) continue;
        parts_.machine.log.warn(server_ ? "goes on with the certificate it has" : "serves no other nodes yet",
                                {{"error", error}});
    }
}

/// Begins to serve, or goes on with the certificate that is valid now.
Result<> PeerNode::serve() {
    ZCDP_TRY(const Identity identity, parts_.identity());
    {
        const MutexLock lock(mutex_);
        if (identity == identity_ && server_) return {};
    }
    if (server_ && options_.tls)
        ZCDP_CHECK(server_->set_certificate(identity->own.certificate_pem, identity->own.key_pem, identity->ca_pem));
    ZCDP_CHECK(go_on_as(identity));
    return server_ ? Result<>() : open_server(identity);
}

/// What it asks with and signs with from now on.
Result<> PeerNode::go_on_as(const Identity& identity) {
    ZCDP_TRY(auto vouches, swarm::Identity::make(identity->own, identity->ca_pem));
    const MutexLock lock(mutex_);
    identity_ = identity, vouches_ = std::move(vouches);
    return {};
}

std::shared_ptr<const swarm::Identity> PeerNode::vouches() const {
    const MutexLock lock(mutex_);
    return vouches_;
}

Result<> PeerNode::open_server(const Identity& identity) {
    net::server::Options options{.listen = options_.listen, .tls = options_.tls, .connections_max = kConnectionsMost};
    if (options_.tls) {
        options.certificate_pem = identity->own.certificate_pem, options.key_pem = identity->own.key_pem;
        options.client_ca_pem = identity->ca_pem,
        options.client_certificate_required = !faults::broken("client-certificate");
    }
    ZCDP_TRY(const auto told, net::Listen::parse(options_.address));
    ZCDP_TRY(server_, net::server::Server::open(std::move(options), disk_, peer_server_.handler(), parts_.machine.log));
    const uint16_t port = told.port != 0 ? told.port : server_->port();
    const std::string address = net::Endpoint{.host = told.host, .port = port}.host_and_port();
    std::set<std::string> waiting;
    {
        const MutexLock lock(mutex_);
        address_ = address;
        waiting.swap(waiting_);
    }
    parts_.machine.log.info("serves other nodes", {{"address", address}});
    for (const std::string& name : waiting) parts_.changed(name);
    return {};
}

// --- syncs ---

std::optional<sync::Peers> PeerNode::peers_of(const api::NodeDataset& wanted) {
    if (!wants_peers(wanted)) {
        take_back(wanted.metadata.name);
        return std::nullopt;
    }
    std::string address;
    Identity identity;
    {
        const MutexLock lock(mutex_);
        serves_.wait_for(mutex_, std::chrono::milliseconds(first_.left_ms()),
                         [this]() ZCDP_REQUIRES(mutex_) { return !address_.empty(); });
        if (address_.empty()) return std::nullopt;
        address = address_, identity = identity_;
        given_[wanted.metadata.name] = {.swarm = swarm_of(wanted), .snapshot = ""};
    }
    net::HttpClientOptions http;
    http.user_agent = "zcdp-agent";
    // A node that lost its power says nothing, and what was asked of it is asked elsewhere.
    http.limits.connect_timeout_ms = kConnectMs, http.limits.probe_timeout_ms = kProbeMs;
    if (options_.tls)
        http.tls = net::make_tls_context({.ca_pem = identity->ca_pem,
                                          .client_cert_pem = identity->own.certificate_pem,
                                          .client_key_pem = identity->own.key_pem});
    return sync::Peers{.dataset = wanted.spec.dataset.uid,
                       .self = options_.node,
                       .address = address,
                       .scheme = options_.tls ? "https" : "http",
                       .settle_ms = wanted.spec.fetching_nodes > 1 ? kTogetherMs : 0,
                       .settle_getters = wanted.spec.fetching_nodes,
                       .server = peer_server_,
                       .bans = bans_,
                       .identity = [this] { return vouches(); },
                       .http =
                           [http, machine = parts_.machine](asio::any_io_executor executor) {
                               return net::make_http_client(executor, http, machine.clock, machine.metrics,
                                                            machine.log);
                           },
                       .introductions = [make = parts_.introductions,
                                         wanted](asio::any_io_executor executor) { return make(executor, wanted); },
                       .chooser = chooser_of(wanted)};
}

// --- what is Ready ---

std::string PeerNode::give(const api::NodeDataset& object, const std::string& snapshot) {
    const std::string& name = object.metadata.name;
    if (!wants_peers(object)) {
        take_back(name);
        return "";
    }
    const MutexLock lock(mutex_);
    if (address_.empty()) {
        waiting_.insert(name);
        return "";
    }
    Given& given = given_[name];
    if (given.snapshot == snapshot) return given.is_given ? address_ : "";
    given = {swarm_of(object), snapshot, false};
    asio::post(shares_, [this, name, snapshot] { make_share(name, snapshot); });
    return "";
}

void PeerNode::make_share(const std::string& name, const std::string& snapshot) {
    auto share = parts_.share_of(snapshot);
    {
        const MutexLock lock(mutex_);
        const auto given = given_.find(name);
        if (given == given_.end() || given->second.snapshot != snapshot) return;
        if (share) {
            peer_server_.add(given->second.swarm, std::move(*share));
            given->second.is_given = true;
        } else {
            given->second.snapshot = "";  // tried again when the NodeDataset is looked at next
        }
    }
    if (share) parts_.changed(name);
    else parts_.machine.log.warn("not given to other nodes", {{"nodedataset", name}, {"error", share.error().line()}});
}

void PeerNode::take_back(const std::string& name) {
    const MutexLock lock(mutex_);
    waiting_.erase(name);
    const auto given = given_.find(name);
    if (given == given_.end()) return;
    peer_server_.remove(given->second.swarm);
    given_.erase(given);
}

}  // namespace zcdp::services::agent
