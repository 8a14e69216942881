#include "src/services/controller/reconcile/reconcile.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace zcdp::services::controller {
namespace {

namespace json = boost::json;
using kube::ApiErrorKind;

/// Somebody else was there first, or it is gone: the watch will say so, and the key is looked at again.
bool settled(const kube::ApiError& error) { return error.kind() == ApiErrorKind::not_found; }

template <class T>
kube::ApiResult<> done_or(kube::ApiResult<T> result) {
    if (!result && !settled(result.error())) return std::move(result).error();
    return {};
}

/// The same, and the cache learns what the object is now.
template <class T>
kube::ApiResult<> learn(kube::Cache<T>& cache, kube::ApiResult<json::object> result) {
    if (result) cache.learn(*result);
    return done_or(std::move(result));
}

bool passes_over(const api::Pod& pod, const std::string& claim) {
    const auto names = pod.passed_over();
    return std::find(names.begin(), names.end(), claim) != names.end();
}

json::object finalizers_patch(const api::ObjectMeta& metadata, std::vector<std::string> finalizers) {
    return {{"metadata",
             json::object{{"finalizers", api::to_json(finalizers)}, {"resourceVersion", metadata.resource_version}}}};
}

}  // namespace

kube::ApiResult<> Reconciler::write_allowed() const {
    if (parts_.may_write()) return {};
    return kube::ApiError(ApiErrorKind::forbidden, 0, "this replica does not lead");
}

kube::ApiResult<> Reconciler::add_finalizer(const kube::Resource& resource, const api::ObjectMeta& metadata,
                                            const char* finalizer) {
    if (auto allowed = write_allowed(); !allowed) return allowed;
    std::vector<std::string> finalizers = metadata.finalizers;
    finalizers.push_back(finalizer);
    auto patched = parts_.api.patch(resource, metadata.namespace_, metadata.name, kube::PatchKind::merge,
                                    finalizers_patch(metadata, std::move(finalizers)));
    if (patched && std::string_view(resource.kind) == api::Dataset::kind) parts_.world.datasets.learn(*patched);
    if (patched && std::string_view(resource.kind) == api::DatasetClaim::kind) parts_.world.claims.learn(*patched);
    return done_or(std::move(patched));
}

kube::ApiResult<> Reconciler::drop_finalizer(const kube::Resource& resource, const api::ObjectMeta& metadata,
                                             const char* finalizer) {
    if (auto allowed = write_allowed(); !allowed) return allowed;
    std::vector<std::string> finalizers = metadata.finalizers;
    std::erase(finalizers, finalizer);
    return done_or(parts_.api.patch(resource, metadata.namespace_, metadata.name, kube::PatchKind::merge,
                                    finalizers_patch(metadata, std::move(finalizers))));
}

kube::ApiResult<> Reconciler::set_wanted(const api::NodeDataset& object, api::Word<api::Wanted> wanted) {
    if (auto allowed = write_allowed(); !allowed) return allowed;
    const json::object patch{{"metadata", json::object{{"resourceVersion", object.metadata.resource_version}}},
                             {"spec", json::object{{"wanted", wanted.text()}}}};
    return learn(parts_.world.node_datasets, parts_.api.patch(kube::resources::node_datasets, "", object.metadata.name,
                                                              kube::PatchKind::merge, patch));
}

kube::ApiResult<> Reconciler::redirect(const Redirection& to) {
    const api::NodeDatasetSource& source = to.source;
    if (auto allowed = write_allowed(); !allowed) return allowed;
    const json::object where{{"backend", source.backend},
                             {"prefix", source.prefix},
                             {"include", api::to_json(source.include)},
                             {"exclude", api::to_json(source.exclude)},
                             {"objects", source.objects},
                             {"bytes", source.bytes}};
    const auto& peers = to.transfer.peers;
    const json::object how{{"peers", peers.empty() ? json::value() : json::value(peers.str())}};
    const api::ObjectMeta& object = to.object->metadata;
    const json::object patch{{"metadata", json::object{{"resourceVersion", object.resource_version}}},
                             {"spec", json::object{{"source", where}, {"transfer", how}}}};
    return learn(parts_.world.node_datasets,
                 parts_.api.patch(kube::resources::node_datasets, "", object.name, kube::PatchKind::merge, patch));
}

Objects<api::Pod> Reconciler::pods_of(const api::DatasetClaim& claim) const {
    Objects<api::Pod> out;
    for (const auto& pod : parts_.world.pods.by_index(claim.metadata.namespace_ + "/" + claim.metadata.name))
        if (!pod->ended()) out.push_back(pod);
    return out;
}

DatasetView Reconciler::view_of(const api::Dataset& dataset) const {
    World& world = parts_.world;
    DatasetView view{dataset,
                     resolve_source(dataset, world.backends.list()),
                     {},
                     {},
                     world.nodes.list(),
                     world.node_datasets.by_index(dataset.metadata.uid),
                     parts_.lister.outcome(dataset.metadata.uid),
                     {},
                     {},
                     {},
                     {},
                     parts_.clock.unix_s(),
                     world.backends.list()};
    view.claims = world.claims_of(api::dataset_key(dataset));
    std::set<std::string> seen;
    for (const auto& claim : view.claims)
        for (const auto& pod : pods_of(*claim))
            if (seen.insert(pod->metadata.uid).second) view.pods.push_back(pod);
    view.room = [rooms = std::make_shared<Rooms>(world, promises_)](const api::Pod& pod, const api::Node& node) {
        return rooms->has(pod, node);
    };
    view.load = [&world](const std::string& node) {
        return static_cast<uint64_t>(world.node_datasets.by_index("node/" + node).size());
    };
    view.has_agent = [&world](const std::string& node) { return world.has_agent(node); };
    view.holding = [&world](const api::Pod& pod, const std::string& node) {
        PodHolding out;
        out.all_ready = true;
        for (const std::string& name : pod.claims()) {
            const auto claim = world.claims.get(pod.metadata.namespace_ + "/" + name);
            const auto other = claim ? world.dataset(api::dataset_key(*claim)) : nullptr;
            bool held = false, ready = false;
            for (const auto& one :
                 other ? world.node_datasets.by_index(other->metadata.uid) : Objects<api::NodeDataset>()) {
                if (one->spec.node != node || one->spec.wanted != api::Wanted::ensure ||
                    one->status.phase == api::Phase::evicted || one->metadata.deleting())
                    continue;
                held = true;
                if (one->status.phase != api::Phase::ready || one->spec.revision != other->status.revision) continue;
                ready = true;
                out.since_unix_s = std::max(out.since_unix_s, api::parse_time(one->status.finished));
            }
            out.held += held;
            out.all_ready = out.all_ready && ready;
        }
        return out;
    };
    return view;
}

void Reconciler::announce(const api::Dataset& dataset, const api::DatasetStatus& status) {
    const kube::EventObject about{api::kApiVersion, "Dataset", dataset.metadata.namespace_, dataset.metadata.name,
                                  dataset.metadata.uid};
    const auto* was = api::find_condition(dataset.status.conditions, "Listed");
    const auto* is = api::find_condition(status.conditions, "Listed");
    if (is && is->status == api::ConditionStatus::no && (!was || was->message != is->message))
        parts_.events.warning(about, is->reason.str(), is->message);
    if (!status.history.empty() &&
        (dataset.status.history.empty() || dataset.status.history.front().revision != status.history.front().revision))
        parts_.events.normal(about, "Listed", is ? is->message : "");
    if (status.revision != dataset.status.revision && !dataset.status.revision.empty())
        parts_.events.normal(about, "Switched",
                             fmt::format("new pods see revision {} instead of {}", status.revision.str().substr(0, 12),
                                         dataset.status.revision.str().substr(0, 12)));
}

/// Takes the agent's finalizer off, for nodes that have no agent any more.
kube::ApiResult<> Reconciler::release(const Objects<api::NodeDataset>& objects) {
    for (const auto& one : objects) {
        // Perhaps just deleted: the cache's resourceVersion is old, so the present object is asked for.
        auto now = parts_.api.get(kube::resources::node_datasets, "", one->metadata.name);
        if (!now && settled(now.error())) continue;
        if (!now) return std::move(now).error();
        const auto object = api::from_json<api::NodeDataset>(json::value(std::move(*now)));
        if (!object || object->metadata.uid != one->metadata.uid ||
            !object->metadata.has_finalizer(api::kNodeDataFinalizer))
            continue;
        if (auto done = drop_finalizer(kube::resources::node_datasets, object->metadata, api::kNodeDataFinalizer);
            !done)
            return done;
    }
    return {};
}

kube::ApiResult<> Reconciler::retire_ownerless() {
    Objects<api::NodeDataset> stranded;
    for (const auto& held : parts_.world.node_datasets.list()) {
        const api::DatasetKey key = api::dataset_key(held->spec.dataset);
        if (parts_.world.datasets.is_unreadable(key.text())) continue;  // it is there: nobody's data goes for a field
        const auto dataset = parts_.world.dataset(key);
        if (dataset && dataset->metadata.uid == held->spec.dataset.uid) continue;
        if (!held->metadata.deleting()) {
            if (auto allowed = write_allowed(); !allowed) return allowed;
            parts_.log.info("retired, its Dataset is gone", {{"nodedataset", held->metadata.name}});
            auto gone = parts_.api.remove(kube::resources::node_datasets, "", held->metadata.name, held->metadata.uid);
            if (!gone && !settled(gone.error())) return gone;
        }
        const auto node = parts_.world.nodes.get(held->spec.node);
        if (node_is_gone(node.get(), parts_.clock.unix_s())) stranded.push_back(held);
    }
    return release(stranded);
}

kube::ApiResult<> Reconciler::apply(const DatasetView& view, const DatasetDecision& decision) {
    const api::Dataset& dataset = view.dataset;
    if (decision.list) parts_.lister.start(dataset, view.source);
    if (!decision.create.empty()) parts_.before_orders();
    for (const auto& one : decision.create) {
        if (auto allowed = write_allowed(); !allowed) return allowed;
        auto made = parts_.api.create(kube::resources::node_datasets, "", api::object_json(one));
        if (!made && made.error().kind() != ApiErrorKind::already_exists) return std::move(made).error();
        if (made) parts_.world.node_datasets.learn(*made);
    }
    for (const auto& one : decision.ensure)
        if (auto done = set_wanted(*one, api::Wanted::ensure); !done) return done;
    for (const auto& one : decision.evict)
        if (auto done = set_wanted(*one, api::Wanted::evict); !done) return done;
    for (const Redirection& one : decision.redirect)
        if (auto done = redirect(one); !done) return done;
    for (const auto& one : decision.remove) {
        if (auto allowed = write_allowed(); !allowed) return allowed;
        auto gone = parts_.api.remove(kube::resources::node_datasets, "", one->metadata.name, one->metadata.uid);
        if (!gone && !settled(gone.error())) return gone;
    }
    if (auto done = release(decision.release); !done) return done;
    if (decision.status != dataset.status) {
        if (auto allowed = write_allowed(); !allowed) return allowed;
        announce(dataset, decision.status);
        api::Dataset changed = dataset;
        changed.status = decision.status;
        auto put = parts_.api.replace(kube::resources::datasets, api::object_json(changed), "status");
        if (auto done = learn(parts_.world.datasets, std::move(put)); !done) return done;
    }
    if (decision.add_finalizer) {
        const auto now = parts_.world.dataset(api::dataset_key(dataset));
        return now ? add_finalizer(kube::resources::datasets, now->metadata, api::kInUseFinalizer)
                   : kube::ApiResult<>();
    }
    if (decision.remove_finalizer && dataset.metadata.has_finalizer(api::kInUseFinalizer)) {
        parts_.lister.forget(dataset.metadata.uid);
        auto now = parts_.api.get(kube::resources::datasets, dataset.metadata.namespace_, dataset.metadata.name);
        if (!now) return done_or(std::move(now));
        const auto object = api::from_json<api::Dataset>(json::value(std::move(*now)));
        if (object && object->metadata.uid == dataset.metadata.uid)
            return drop_finalizer(kube::resources::datasets, object->metadata, api::kInUseFinalizer);
    }
    return {};
}

Reconciler::Again Reconciler::reconcile_dataset(const api::DatasetKey& key) {
    const auto dataset = parts_.world.dataset(key);
    if (!dataset) return std::optional<uint64_t>();
    const DatasetView view = view_of(*dataset);
    const DatasetDecision decision = decide_dataset(view);
    if (auto done = apply(view, decision); !done) return std::move(done).error();
    return decision.again_s;
}

Reconciler::Again Reconciler::reconcile_claim(const std::string& key) {
    World& world = parts_.world;
    const auto claim = world.claims.get(key);
    if (!claim) return std::optional<uint64_t>();
    const std::string& ns = claim->metadata.namespace_;
    ClaimView view{*claim, world.dataset(api::dataset_key(*claim)), pods_of(*claim), {}, {}, parts_.clock.unix_s()};
    for (const auto& pod : world.pods.by_index(passed_over_index(key)))
        if (!pod->ended() && !pod->metadata.deleting()) view.passed_over.push_back(pod);
    if (claim->spec.pod_selector)
        for (const auto& pod : world.pods.by_index(ns))
            if (is_missed(*pod, *claim) && !passes_over(*pod, claim->metadata.name)) view.missed.push_back(pod);
    const ClaimDecision decision = decide_claim(view);
    if (decision.status != claim->status) {
        if (auto allowed = write_allowed(); !allowed) return std::move(allowed).error();
        const api::Condition* was = api::find_condition(claim->status.conditions, "Bound");
        const api::Condition* bound = api::find_condition(decision.status.conditions, "Bound");
        const kube::EventObject about{api::kApiVersion, "DatasetClaim", ns, claim->metadata.name, claim->metadata.uid};
        const bool another = !was || was->reason != bound->reason || was->message != bound->message;
        if (another && bound->reason == api::Reason::pods_missed)
            parts_.events.warning(about, bound->reason.str(), bound->message);
        if (another && bound->reason == api::Reason::pods_passed_over)
            parts_.events.normal(about, bound->reason.str(), bound->message);
        api::DatasetClaim changed = *claim;
        changed.status = decision.status;
        if (auto done = learn(parts_.world.claims,
                              parts_.api.replace(kube::resources::claims, api::object_json(changed), "status"));
            !done)
            return std::move(done).error();
    } else if (decision.add_finalizer) {
        if (auto done = add_finalizer(kube::resources::claims, claim->metadata, api::kInUseFinalizer); !done)
            return std::move(done).error();
    } else if (decision.remove_finalizer) {
        if (auto done = drop_finalizer(kube::resources::claims, claim->metadata, api::kInUseFinalizer); !done)
            return std::move(done).error();
    }
    return std::optional<uint64_t>();
}

Reconciler::Again Reconciler::reconcile_node(const std::string& name) {
    World& world = parts_.world;
    const auto node = world.nodes.get(name);
    if (!node) {
        turns_.forget(name);
        return std::optional<uint64_t>();
    }
    turns_.see(*node, parts_.clock.monotonic_ns());
    auto labels = data_labels(world.node_datasets.by_index("node/" + name), world.datasets);
    const std::optional<uint64_t> again_s = wait_for_turn(labels, *node);
    const auto patch = node_patch(*node, labels, world.has_agent(name));
    if (!patch) return again_s;
    if (auto allowed = write_allowed(); !allowed) return std::move(allowed).error();
    if (auto done =
            learn(world.nodes, parts_.api.patch(kube::resources::nodes, "", name, kube::PatchKind::merge, *patch));
        !done)
        return std::move(done).error();
    if (const auto now = world.nodes.get(name)) turns_.see(*now, parts_.clock.monotonic_ns());
    return again_s;
}

Reconciler::Again Reconciler::reconcile_backend(const std::string& name) {
    World& world = parts_.world;
    const auto backend = world.backends.get(name);
    if (!backend) return std::optional<uint64_t>();
    api::StorageBackendStatus status = backend->status;
    status.observed_generation = backend->metadata.generation;
    const api::Condition* bad = nullptr;
    std::string dataset_name;
    const auto datasets = world.datasets.by_index(name);
    bool listed = false;
    for (const auto& dataset : datasets) {
        const api::Condition* condition = api::find_condition(dataset->status.conditions, "Listed");
        if (!condition) continue;
        listed = listed || condition->status == api::ConditionStatus::yes;
        if (condition->status == api::ConditionStatus::no && condition->reason != api::Reason::not_found &&
            condition->reason != api::Reason::namespace_not_allowed && condition->reason != api::Reason::key_refused &&
            !bad)
            bad = condition, dataset_name = dataset->metadata.key();
    }
    api::Condition ready{"Ready", api::ConditionStatus::unknown, backend->metadata.generation,
                         "",      api::Reason::not_used,         "no Dataset has been listed from it yet"};
    if (listed) ready.status = api::ConditionStatus::yes, ready.reason = api::Reason::listed, ready.message.clear();
    if (bad)
        ready.status = api::ConditionStatus::no, ready.reason = bad->reason,
        ready.message = fmt::format("Dataset {}: {}", dataset_name, bad->message);
    status.last_error = bad ? ready.message : "";
    api::set_condition(status.conditions, std::move(ready), iso8601(parts_.clock.unix_s()));
    if (status == backend->status) return std::optional<uint64_t>();
    if (auto allowed = write_allowed(); !allowed) return std::move(allowed).error();
    api::StorageBackend changed = *backend;
    changed.status = std::move(status);
    if (auto done =
            learn(world.backends, parts_.api.replace(kube::resources::backends, api::object_json(changed), "status"));
        !done)
        return std::move(done).error();
    return std::optional<uint64_t>();
}

kube::ApiResult<std::optional<uint64_t>> Reconciler::reconcile(const std::string& key) {
    const size_t slash = key.find('/');
    const std::string kind = key.substr(0, slash), rest = key.substr(slash + 1);
    if (kind == "dataset") {
        const auto dataset = api::DatasetKey::parse(rest);
        return dataset ? reconcile_dataset(*dataset) : std::optional<uint64_t>();
    }
    if (kind == "claim") return reconcile_claim(rest);
    if (kind == "pod") return reconcile_pod(rest);
    if (kind == "node") return reconcile_node(rest);
    return reconcile_backend(rest);
}

namespace {

/// What about a node matters here; heartbeats do not.
bool same_for_us(const api::Node& a, const api::Node& b) {
    const auto others = [](const api::StringMap& labels) {
        api::StringMap out = labels;
        std::erase_if(out, [](const auto& label) { return label.first.starts_with(api::kDataLabelPrefix); });
        return out;
    };
    return others(a.metadata.labels) == others(b.metadata.labels) && a.spec == b.spec &&
           a.status.allocatable == b.status.allocatable && a.ready() == b.ready() &&
           a.metadata.deleting() == b.metadata.deleting();
}
bool same_for_us(const api::Pod& a, const api::Pod& b) {
    return a.spec.node_name == b.spec.node_name && a.spec.scheduling_gates == b.spec.scheduling_gates &&
           a.ended() == b.ended() && a.metadata.deleting() == b.metadata.deleting() &&
           a.unschedulable() == b.unschedulable() && a.claims() == b.claims() && a.metadata.labels == b.metadata.labels;
}

/// A pod that cannot start before its data is there: gated, or on its node and not running yet.
bool waits(const api::Pod& pod) {
    if (pod.metadata.deleting() || pod.ended()) return false;
    return pod.has_gate(api::kGate) ||
           (!pod.spec.node_name.empty() && pod.status.phase == api::PodPhase::pending && !pod.claims().empty());
}
/// It says that its data is not there.
bool was_told(const api::Pod& pod) {
    const api::Condition* told = api::find_condition(pod.status.conditions, api::kDataReadyCondition);
    return told && told->status == api::ConditionStatus::no;
}
api::Word<api::Reason> error_of(const api::NodeDataset& held) {
    return held.status.last_error ? held.status.last_error->reason : api::Word<api::Reason>();
}

}  // namespace

void Reconciler::route(World& world, kube::WorkQueue& queue) {
    world.backends.on_change([&](const std::string& key, const auto& before, const auto& after) {
        queue.add("backend/" + key);
        if (before && after && before->spec == after->spec) return;
        for (const auto& dataset : world.datasets.list()) queue.add(dataset_job(api::dataset_key(*dataset)));
    });
    world.datasets.on_change([&](const std::string&, const auto& before, const auto& after) {
        const auto& any = after ? after : before;
        const api::DatasetKey key = api::dataset_key(*any);
        queue.add(dataset_job(key));
        for (const auto& claim : world.claims_of(key)) {
            queue.add("claim/" + claim->metadata.key());
            for (const auto& pod : world.pods.by_index(claim->metadata.key()))
                if (waits(*pod)) queue.add("pod/" + pod->metadata.key());
        }
        if (!any->spec.source.backend.empty()) queue.add("backend/" + any->spec.source.backend);
        if (!before || !after || before->status.revision != after->status.revision)
            for (const auto& held : world.node_datasets.by_index(any->metadata.uid))
                queue.add("node/" + held->spec.node);
    });
    world.claims.on_change([&](const std::string& key, const auto& before, const auto& after) {
        queue.add("claim/" + key);
        const auto& any = after ? after : before;
        queue.add(dataset_job(api::dataset_key(*any)));
        for (const auto& pod : world.pods.by_index(key))
            if (waits(*pod)) queue.add("pod/" + pod->metadata.key());
    });
    world.node_datasets.on_change([&](const std::string&, const auto& before, const auto& after) {
        const auto& any = after ? after : before;
        const api::DatasetKey dataset = api::dataset_key(any->spec.dataset);
        queue.add(dataset_job(dataset));
        queue.add("node/" + any->spec.node);
        if (!before || !after || before->status.phase != after->status.phase || error_of(*before) != error_of(*after))
            for (const auto& claim : world.claims_of(dataset))
                for (const auto& pod : world.pods.by_index(claim->metadata.key()))
                    if (waits(*pod)) queue.add("pod/" + pod->metadata.key());
    });
    world.pods.on_change([&](const std::string& key, const auto& before, const auto& after) {
        if (after && (waits(*after) || was_told(*after)) && (!before || before->status.phase != after->status.phase))
            queue.add("pod/" + key);
        if (before && after && same_for_us(*before, *after)) return;
        const auto& any = after ? after : before;
        const std::string& ns = any->metadata.namespace_;
        if (after && waits(*after)) queue.add("pod/" + key);
        const auto claims = any->claims();
        for (const std::string& name : claims) {
            queue.add("claim/" + ns + "/" + name);
            if (const auto claim = world.claims.get(ns + "/" + name)) queue.add(dataset_job(api::dataset_key(*claim)));
        }
        for (const std::string& name : any->passed_over()) queue.add("claim/" + ns + "/" + name);
        for (const auto& claim : world.claims.by_index(ns))  // that it should use, perhaps, and does not
            if (claim->spec.pod_selector && claim->spec.pod_selector->matches(any->metadata.labels))
                queue.add("claim/" + claim->metadata.key());
    });
    world.nodes.on_change([&](const std::string& key, const auto& before, const auto& after) {
        if (!before || !after || before->metadata.labels != after->metadata.labels || before->spec != after->spec)
            queue.add("node/" + key);
        if (before && after && same_for_us(*before, *after)) return;
        for (const auto& dataset : world.datasets.list()) queue.add(dataset_job(api::dataset_key(*dataset)));
        for (const auto& pod : world.pods.by_index(kGatedIndex)) queue.add("pod/" + pod->metadata.key());
    });
    world.csi_nodes.on_change([&](const std::string& key, const auto&, const auto&) { queue.add("node/" + key); });
}

}  // namespace zcdp::services::controller
