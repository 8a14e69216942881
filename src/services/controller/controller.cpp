// The controller's steps: watch everything, serve the webhook, and, while it holds the lease, reconcile.
#include "zcdp/services/controller.hpp"

#include <algorithm>
#include <thread>

#include "src/services/controller/dataset_metrics.hpp"
#include "src/services/controller/listing/serve_listing.hpp"
#include "src/services/controller/peers/routes.hpp"
#include "src/services/controller/reconcile/reconcile.hpp"
#include "src/services/controller/upkeep/keeper.hpp"
#include "src/services/controller/webhook/webhook.hpp"
#include "src/services/metrics.hpp"
#include "zcdp/base/stop.hpp"
#include "zcdp/kube/informer.hpp"
#include "zcdp/kube/lease.hpp"
#include "zcdp/services/health.hpp"

namespace zcdp::services {
namespace {

using namespace controller;

constexpr unsigned kServerThreads = 16;  ///< for questions that wait for the API server, and the webhook
constexpr uint64_t kRetireRounds = 15, kRetryMs = 2'000;
/// A node has one for each swarm that is young, besides the API servers' for the webhook.
constexpr unsigned kConnectionsMax = 4'096;

/// One informer a kind.
struct Informers {
    Informers(kube::Api& api, World& world, Random& random, Logger& log)
        : backends(api, kube::resources::backends, {}, world.backends, random, log),
          datasets(api, kube::resources::datasets, {}, world.datasets, random, log),
          claims(api, kube::resources::claims, {}, world.claims, random, log),
          nodes(api, kube::resources::nodes, {}, world.nodes, random, log),
          node_datasets(api, kube::resources::node_datasets, {}, world.node_datasets, random, log),
          csi_nodes(api, kube::resources::csi_nodes, {}, world.csi_nodes, random, log),
          pods(api, kube::resources::pods, {}, world.pods, random, log) {}
    kube::Informer backends, datasets, claims, nodes, node_datasets, csi_nodes, pods;
};

/// Everything is looked at once: when the caches are full, and when this replica takes over.
void queue_everything(const World& world, kube::WorkQueue& queue) {
    for (const auto& one : world.backends.list()) queue.add("backend/" + one->metadata.key());
    for (const auto& one : world.datasets.list()) queue.add(dataset_job(api::dataset_key(*one)));
    for (const auto& one : world.claims.list()) queue.add("claim/" + one->metadata.key());
    for (const auto& one : world.nodes.list()) queue.add("node/" + one->metadata.key());
    for (const auto& one : world.pods.by_index(kGatedIndex)) queue.add("pod/" + one->metadata.key());
}

/// `passed_over` becomes true when a key was due while this replica did not lead: whoever leads then looks at
/// everything. (A leader that was paused finds events of the meantime before it has its lease again.)
void work(Reconciler& reconciler, kube::WorkQueue& queue, const kube::LeaderLease& lease, Machine machine,
          std::atomic<bool>& passed_over, std::stop_token stop) {
    Counter& failures = machine.metrics.counter(metric::reconcile_errors);
    Counter& looks = machine.metrics.counter(metric::reconciles);
    Counter& depth = machine.metrics.gauge(metric::queue_depth);
    while (const auto key = queue.take(stop)) {
        looks.add();
        kube::ApiResult<std::optional<uint64_t>> done = std::optional<uint64_t>();
        if (lease.is_leader()) done = reconciler.reconcile(*key);
        else passed_over = true;
        queue.done(*key);
        depth.set(queue.depth());
        if (!done) {
            failures.add();
            machine.log.info("tried again later", {{"key", *key}, {"error", done.error().message()}});
            queue.add_after_failure(*key);
            continue;
        }
        queue.succeeded(*key);
        if (*done) queue.add(*key, **done * 1000);
    }
}

}  // namespace

Result<> run_controller(const ControllerOptions& options, kube::Api& api, Machine machine, std::stop_token stop) {
    Logger& log = machine.log;
    World world;
    world.report_unreadable(log, machine.metrics);
    kube::WorkQueue queue(machine.clock, machine.random);
    Reconciler::route(world, queue);
    const backend::AccessRules rules{options.system_namespace, options.cluster_ranges};
    const auto lister = make_lister(api, machine, rules, options.scratch,
                                    [&queue](const api::DatasetKey& dataset) { queue.add(dataset_job(dataset)); });
    kube::EventRecorder events(api, "zcdp-controller", options.identity, machine.clock, machine.random, log);
    kube::LeaderLease lease(api, {options.system_namespace, "zcdp-controller", options.identity, 15, 10'000, kRetryMs},
                            machine.clock, log);
    AgentRole role(api, options.system_namespace, world);
    const auto keep_role = [&role, &log] {
        if (auto kept = role.keep(); !kept)
            log.warn("the agents' Role could not be kept", {{"error", kept.error().line()}});
    };
    Reconciler reconciler({api, world, *lister, events, machine.clock, machine.metrics, log,
                           [&lease] { return lease.is_leader(); }, keep_role});
    Informers informers(api, world, machine.random, log);

    Webhook webhook(api, world, machine.clock, log);
    std::unique_ptr<net::server::ControlServer> webhook_server;  // of the keeper's thread
    std::atomic<bool> serving{false};
    kube::TokenReviewer tokens(api, {kListingAudience}, machine.clock);
    net::server::ControlRouter routes;
    routes.add("POST", "/mutate",
               [&](const net::server::Request&, const std::string& body) { return webhook.answer(body); });
    routes.add(
        "GET", "/v1/listings/{revision...}",
        [&](const net::server::Request& request, const std::string&) {
            return serve_listing(request, world, *lister, machine.fs);
        },
        [&](const net::server::Request& request) { return refuse_all_but_agents(request, tokens); });
    Certificates certificates(api, options.system_namespace, machine.clock, log);
    Meetings meetings(world, [&lease] { return lease.is_leader(); }, machine.clock, machine.random);
    add_peer_routes(routes, {world, tokens, meetings, certificates});
    routes.otherwise([](const net::server::Request&, const std::string&) {
        return net::server::ControlResponse{404, "text/plain",
                                            "there are /mutate, /v1/listings/REVISION, /v1/peers and "
                                            "/v1/certificates\n"};
    });
    const auto serve = [&](const net::KeyPair& certificate) -> Result<> {
        if (webhook_server) return webhook_server->set_certificate(certificate.certificate_pem, certificate.key_pem);
        net::server::Options tls;
        tls.listen = options.webhook_listen;
        tls.tls = true;
        tls.connections_max = kConnectionsMax;
        tls.certificate_pem = certificate.certificate_pem, tls.key_pem = certificate.key_pem;
        ZCDP_TRY(webhook_server, net::server::ControlServer::open(tls, kServerThreads, routes, log));
        serving = true;
        return {};
    };
    ZCDP_TRY(const auto health_server, open_health_server(
                                           options.listen, machine.metrics, log,
                                           [&] {
                                               return std::string(world.synced() && (serving || !options.webhook)
                                                                      ? ""
                                                                      : "the caches are not full yet");
                                           },
                                           [&world] { return dataset_metrics(world); }));

    std::atomic<bool> passed_over{false};
    std::jthread worker;
    Keeper keeper(
        {api, certificates, role, machine.clock, machine.metrics, log, [&lease] { return lease.is_leader(); }, serve});
    std::unique_ptr<Tripwires> wires;
    std::jthread upkeep;
    if (options.webhook) {
        wires = std::make_unique<Tripwires>(api, options.system_namespace, machine.random, log);
        upkeep = std::jthread([&](std::stop_token ending) { keeper.run(*wires, ending); });
    }
    bool led = false;
    uint64_t rounds = 0;
    int64_t next_ns = machine.clock.monotonic_ns();
    const auto rest_ms = [&] {
        return static_cast<uint64_t>(std::max<int64_t>(0, next_ns - machine.clock.monotonic_ns()) / 1'000'000);
    };
    for (; !stop.stop_requested(); (void)wait_for_stop(stop, rest_ms())) {
        next_ns = machine.clock.monotonic_ns() + int64_t{kRetryMs} * 1'000'000;
        const bool leads = world.synced() && lease.step();
        if (leads && !led) lister->forget_outcomes();
        if (leads && (passed_over.exchange(false) || !led)) queue_everything(world, queue);
        if (leads && !worker.joinable())
            worker = std::jthread(
                [&](std::stop_token ending) { work(reconciler, queue, lease, machine, passed_over, ending); });
        if (leads && (leads != led || ++rounds % kRetireRounds == 0)) {
            if (auto retired = reconciler.retire_ownerless(); !retired)
                log.info("tried again later", {{"error", retired.error().message()}});
            keep_role();
        }
        led = leads;
    }
    upkeep = {};
    webhook_server.reset();  // before all that it asks
    worker = {};
    lease.release();
    return {};
}

}  // namespace zcdp::services
