// The agent's steps, in order: open the store, adopt what is mounted, watch the node's objects, serve kubelet, work.
#include "zcdp/services/agent.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <thread>

#include "src/services/agent/make_peer_node.hpp"
#include "src/services/agent/node_state.hpp"
#include "src/services/agent/socket.hpp"
#include "src/services/backend/listed_origin.hpp"
#include "src/services/metrics.hpp"
#include "zcdp/api/dataset_key.hpp"
#include "zcdp/api/names.hpp"
#include "zcdp/base/stop.hpp"
#include "zcdp/kube/informer.hpp"
#include "zcdp/kube/unreadable.hpp"
#include "zcdp/services/health.hpp"
#include "zcdp/store/store.hpp"

namespace zcdp::services {
namespace {

using namespace agent;

constexpr uint64_t kHousekeepingMs = 60'000, kOrphansEvery = 5, kReportStoreEvery = 10;  ///< of the first

kube::Cache<api::NodeDataset>::Index by_dataset() {
    return [](const api::NodeDataset& object) { return std::vector<std::string>{object.spec.dataset.uid}; };
}

/// The backend that a NodeDataset names, checked again here: a namespace that was taken off the list gets nothing new.
Result<backend::BackendAccess> resolve(kube::Api& api, const backend::AccessRules& rules,
                                       const api::NodeDataset& wanted) {
    auto raw = api.get(kube::resources::backends, "", wanted.spec.source.backend);
    if (!raw)
        return Error(raw.error().to_error().kind(), raw.error().message(),
                     "StorageBackend " + wanted.spec.source.backend);
    ZCDP_TRY(const auto backend, api::from_json<api::StorageBackend>(kube::json::value(std::move(*raw))));
    if (!backend::namespace_allowed(backend.spec, wanted.spec.dataset.namespace_))
        return Error(ErrorKind::denied, "does not allow namespace " + wanted.spec.dataset.namespace_,
                     "StorageBackend " + wanted.spec.source.backend);
    return backend::backend_access(api, backend, wanted.spec.source.prefix, rules);
}

/// The controller's CA certificates, as it publishes them.
std::string controller_ca(kube::Api& api, const std::string& ns) {
    auto map = api.get(kube::resources::config_maps, ns, "zcdp-ca");
    const kube::json::value* data = map ? map->if_contains("data") : nullptr;
    const kube::json::value* pem = data && data->is_object() ? data->get_object().if_contains("ca.crt") : nullptr;
    return pem && pem->is_string() ? std::string(pem->get_string()) : std::string();
}

peers::ControllerAccess controller_access(const AgentOptions& options, kube::Api& api, Fs& files) {
    return {options.controller_url, [&options, &api] { return controller_ca(api, options.system_namespace); },
            [&options, &files] {
                const auto token = read_user_file(files, options.token_file, 64 << 10);
                return token ? *token : std::string();
            }};
}

/// The origin with the listing that the controller made; when that cannot be had, the agent lists for itself, and the
/// revision still has to be the one that is wanted.
Result<origin::OriginFactory> make_origin(const AgentOptions& options, const peers::ControllerAccess& controller,
                                          Machine machine, const api::NodeDataset& wanted,
                                          const backend::BackendAccess& access) {
    ZCDP_TRY(auto factory, origin::make_origin_factory(access.source, access.options, machine));
    const backend::ListingRequest request{controller.url,       controller.ca_pem(),
                                          controller.token(),   api::dataset_key(wanted.spec.dataset),
                                          wanted.spec.revision, options.store};
    if (request.ca_pem.empty() || request.token.empty()) return factory;
    auto listing = backend::fetch_listing(request, machine);
    if (listing) return backend::with_listing(std::move(factory), *listing, machine.fs, !access.source.ends_with('/'));
    machine.log.info("lists the origin itself",
                     {{"dataset", request.dataset.text()}, {"error", listing.error().line()}});
    return factory;
}

void report_store(store::Upkeep& store, Metrics& metrics) {
    const auto usage = store.usage();
    if (!usage) return;
    metrics.gauge(metric::store_bytes).set(usage->blob_bytes);
    metrics.gauge(metric::store_evictable_bytes).set(usage->evictable_bytes);
    metrics.gauge(metric::store_partial_bytes).set(usage->partial_bytes);
    metrics.gauge(metric::store_free_bytes).set(usage->space.free_bytes);
    metrics.gauge(metric::store_snapshots).set(usage->snapshots);
}

}  // namespace

Result<> run_agent(const AgentOptions& options, kube::Api& api, Machine machine, std::stop_token stop) {
    Logger& log = machine.log;
    ZCDP_TRY(const auto mounter, make_mounter());

    store::StoreOptions store_options;
    store_options.root = options.store;
    store_options.lock_timeout_ms = 60'000;  // an agent of the last version may be ending
    store_options.holder = fmt::format("zcdp agent, pid {}, socket {}", ::getpid(), options.socket);
    store_options.socket = options.socket;
    store_options.high_watermark_percent = options.high_watermark_percent;
    store_options.low_watermark_percent = options.low_watermark_percent;
    ZCDP_TRY(const auto store,
             store::Store::open(store_options, machine.fs, machine.clock, machine.random, log, machine.metrics));
    for (const std::string& note : store->recovery_notes()) log.info(note);

    const backend::AccessRules rules{options.system_namespace, options.cluster_ranges};
    kube::WorkQueue queue(machine.clock, machine.random);
    kube::Cache<api::NodeDataset> objects(by_dataset());
    objects.on_unreadable(kube::tell_unreadable("nodedatasets", log, machine.metrics));
    objects.on_change([&queue](const std::string& name, const auto&, const auto&) { queue.add(name); });
    const auto look_at = [&queue](const std::string& name) { queue.add(name); };
    const peers::ControllerAccess controller = controller_access(options, api, machine.fs);
    const auto peer_node = make_peer_node(options, controller, *store, machine, look_at);
    Transfers transfers(
        {*store, machine, machine.metrics, log,
         [&](const api::NodeDataset& wanted) { return peer_node ? peer_node->peers_of(wanted) : std::nullopt; }},
        [&](const api::NodeDataset& wanted) { return resolve(api, rules, wanted); },
        [&](const api::NodeDataset& wanted, const backend::BackendAccess& access, Machine labelled) {
            return make_origin(options, controller, labelled, wanted, access);
        },
        options.syncs_at_once, look_at);
    Volumes volumes(
        {api, *store, *store, *mounter, transfers, objects, machine.fs, machine.clock, machine.metrics, log},
        {options.node}, [&](const std::string& dataset_uid) {
            for (const auto& object : objects.by_index(dataset_uid)) queue.add(object->metadata.name);
        });
    ZCDP_CHECK(volumes.adopt());

    kube::EventRecorder events(api, "zcdp-agent", options.node, machine.clock, machine.random, log);
    NodeState state({api, *store, *store, transfers, volumes, objects, events, queue, machine.clock, machine.metrics,
                     log, peer_node.get()});
    kube::ListOptions scope;
    scope.label_selector = std::string(api::kNodeLabel) + "=" + api::node_label_value(options.node);
    kube::Informer informer(api, kube::resources::node_datasets, scope, objects, machine.random, log);

    ZCDP_TRY(const auto csi,
             kube::CsiServer::open({options.registration, api::kDriver, options.version, options.node}, volumes, log));
    ZCDP_TRY(
        const auto health_server, open_health_server(options.listen, machine.metrics, log, [&] {
            return std::string(volumes.is_registered() && informer.synced() ? "" : "not registered with kubelet yet");
        }));
    ZCDP_TRY(const auto socket, open_agent_socket(options.socket, {*store, *store, *store, machine, log}));
    report_store(*store, machine.metrics);
    log.info("serves", {{"node", options.node}, {"store", options.store}});

    std::jthread worker([&](std::stop_token ending) {
        Counter& failures = machine.metrics.counter(metric::reconcile_errors);
        Counter& depth = machine.metrics.gauge(metric::queue_depth);
        while (const auto name = queue.take(ending)) {
            const auto done = state.reconcile(*name);
            queue.done(*name);
            depth.set(queue.depth());
            if (!done) {
                failures.add();
                log.info("tried again later", {{"nodedataset", *name}, {"error", done.error().message()}});
                queue.add_after_failure(*name);
                continue;
            }
            queue.succeeded(*name);
            if (*done) queue.add(*name, **done);
        }
    });
    for (uint64_t rounds = 1; !wait_for_stop(stop, kHousekeepingMs); ++rounds) {
        if (rounds % kReportStoreEvery == 0) report_store(*store, machine.metrics);  // reads the whole index
        (void)store->reserve(0, 0).has_value();  // over the high watermark: least recently used goes
        for (const auto& object : objects.list()) queue.add(object->metadata.name);
        if (rounds % kOrphansEvery == 0) volumes.sweep_orphans();
    }
    log.info("ends; mounts stay");
    return {};
}

}  // namespace zcdp::services
