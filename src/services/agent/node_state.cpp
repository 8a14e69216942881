#include "src/services/agent/node_state.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "src/services/metrics.hpp"
#include "zcdp/api/names.hpp"
#include "zcdp/base/units.hpp"

namespace zcdp::services::agent {
namespace {

constexpr uint64_t kReportEveryMs = 5'000, kLeasedAgainMs = 10'000, kWaitingAgainMs = 1'000;
constexpr size_t kNamedMost = 16;  // nodes, in a status

api::NodePeers peers_of(const swarm::SessionState& state) {
    api::NodePeers out{.neighbours = state.neighbours,
                       .pieces = state.pieces,
                       .owned = state.drawn.owned,
                       .taken_over = state.drawn.taken_over,
                       .drawn_again = state.drawn.again,
                       .compared = state.drawn.compared,
                       .over_budget = state.drawn.over_budget};
    for (const auto& [node, reason] : state.troubled)
        if (out.troubled.size() < kNamedMost) out.troubled.push_back({node, reason});
    for (const std::string& node : state.drawn.late_owners)
        if (out.late_owners.size() < kNamedMost) out.late_owners.push_back(node);
    return out;
}

}  // namespace

NodeDatasetDecision decide_node_dataset(const NodeDatasetView& view) {
    NodeDatasetDecision out;
    const api::NodeDataset& object = view.object;
    const bool leaving = object.spec.wanted == api::Wanted::evict || object.metadata.deleting();
    if (leaving) {
        if (object.status.phase == api::Phase::evicted) {
            out.action = NodeDatasetDecision::Action::forget;
            out.phase = api::Phase::evicted;
            out.release = object.metadata.deleting();
            return out;
        }
        out.action = NodeDatasetDecision::Action::evict;
        out.phase = api::Phase::evicting;
        return out;
    }
    // Fetching it again at once would push out what it had to make room for: the controller decides what comes next.
    if (view.evicted_for_space || object.status.phase == api::Phase::evicted) {
        out.action = NodeDatasetDecision::Action::forget;
        out.phase = api::Phase::evicted;
        return out;
    }
    if (view.transfer && view.transfer->phase == TransferPhase::ready) {
        out.phase = api::Phase::ready;
        return out;
    }
    // After a restart of the agent: the object says it is here, and it is.
    if (!view.transfer && object.status.phase == api::Phase::ready && view.in_store) {
        out.action = NodeDatasetDecision::Action::adopt;
        out.phase = api::Phase::ready;
        return out;
    }
    out.action = NodeDatasetDecision::Action::ensure;
    out.phase = api::Phase::pending;
    if (view.transfer && view.transfer->phase == TransferPhase::running) out.phase = api::Phase::syncing;
    if (view.transfer && view.transfer->phase == TransferPhase::failed) out.phase = api::Phase::failed;
    return out;
}

api::NodeDatasetStatus node_dataset_status(const NodeDatasetView& view, api::Phase phase) {
    api::NodeDatasetStatus out = view.object.status;
    out.observed_generation = view.object.metadata.generation;
    if (out.pods != view.pods && view.pods.empty()) out.last_use = iso8601(view.now_unix_s);
    out.pods = view.pods, out.pod_count = static_cast<uint32_t>(view.pods.size());
    out.phase = phase;
    if (phase == api::Phase::evicted) {
        out = {};
        out.observed_generation = view.object.metadata.generation;
        out.phase = phase;
        return out;
    }
    out.peer_address = phase == api::Phase::ready ? view.peer_address : "";
    if (!view.transfer) return out;
    const TransferView& transfer = *view.transfer;
    out.bytes_done = transfer.bytes_done, out.bytes_total = transfer.bytes_total;
    out.progress = transfer.phase == TransferPhase::ready ? "100%"
                   : transfer.bytes_total > 0
                       ? fmt::format("{}%", std::min<uint64_t>(99, transfer.bytes_done * 100 / transfer.bytes_total))
                       : "";
    if (transfer.swarm) out.peers = peers_of(*transfer.swarm);
    out.bytes_per_second = static_cast<uint64_t>(transfer.bytes_per_second);
    const uint64_t left = transfer.bytes_total - std::min(transfer.bytes_done, transfer.bytes_total);
    out.eta_seconds = transfer.bytes_per_second > 1 && phase == api::Phase::syncing
                          ? static_cast<uint64_t>(static_cast<double>(left) / transfer.bytes_per_second)
                          : 0;
    if (transfer.phase == TransferPhase::ready) {
        out.snapshot = transfer.snapshot;
        if (transfer.size_bytes > 0) out.size_bytes = transfer.size_bytes;
        if (transfer.finished_unix_s > 0)
            out.finished = iso8601(transfer.finished_unix_s), out.origin_bytes = transfer.origin_bytes,
            out.peer_bytes = transfer.peer_bytes, out.reused_bytes = transfer.reused_bytes;
        if (out.last_use.empty()) out.last_use = iso8601(view.now_unix_s);
    }
    if (transfer.started_unix_s > 0) out.started = iso8601(transfer.started_unix_s);
    out.last_error.reset();
    if (transfer.error)
        out.last_error =
            api::LastError{api::reason_of(transfer.error->kind()), transfer.error->line(),
                           printable(transfer.error->object()), iso8601(transfer.error_unix_s), transfer.attempts};
    return out;
}

bool NodeState::shared(const api::NodeDataset& object, const std::string& snapshot) const {
    for (const auto& other : parts_.node_datasets.list())
        if (other->metadata.name != object.metadata.name && other->status.snapshot == snapshot &&
            other->spec.wanted == api::Wanted::ensure && !other->metadata.deleting())
            return true;
    return false;
}

/// The snapshot that its sync has made, "" when it has not; nobody is given it any more.
std::string NodeState::forget(const std::string& name) {
    const std::string made = parts_.transfers.forget(name);
    if (parts_.peers) parts_.peers->take_back(name);
    return made;
}

/// Never from under a pod: a snapshot that is leased stays, also for more pods of the same dataset, and this is tried
/// again.
kube::ApiResult<> NodeState::evict(const api::NodeDataset& object, NodeDatasetDecision& decision) {
    // Stopped first: it may have made a snapshot that no status names yet.
    const std::string made = forget(object.metadata.name);
    const std::string snapshot = made.empty() ? object.status.snapshot : made;
    if (!snapshot.empty() && !shared(object, snapshot)) {
        if (const auto id = store::SnapshotId::parse(snapshot)) {
            (void)parts_.snapshots.pin(*id, false).has_value();
            auto gone = parts_.upkeep.evict(*id);
            if (!gone && gone.error().kind() != ErrorKind::not_found) {
                parts_.log.info("not evicted yet",
                                {{"nodedataset", object.metadata.name}, {"error", gone.error().line()}});
                return {};
            }
            if (gone) parts_.metrics.counter(metric::evictions).add();
        }
    }
    if (parts_.node_datasets.list().size() == 1) leave_nothing();
    decision.phase = api::Phase::evicted;
    decision.release = object.metadata.deleting();
    return {};
}

/// The node's last dataset goes, as at an uninstall: what syncs that were stopped had fetched goes, too.
void NodeState::leave_nothing() {
    if (auto freed = parts_.upkeep.gc(0, 0); !freed)
        parts_.log.warn("what is no dataset's was not removed", {{"error", freed.error().line()}});
}

void NodeState::announce(const api::NodeDataset& object, const api::NodeDatasetStatus& status) {
    const kube::EventObject about{api::kApiVersion, "Dataset", object.spec.dataset.namespace_, object.spec.dataset.name,
                                  object.spec.dataset.uid};
    const std::string& node = object.spec.node;
    if (status.phase == object.status.phase && status.last_error.has_value() == object.status.last_error.has_value())
        return;
    if (status.phase == api::Phase::syncing)
        parts_.events.normal(
            about, "Syncing",
            fmt::format("node {}: fetching {} ({} objects)", node, format_size(object.spec.source.bytes),
                        format_count(object.spec.source.objects)));
    if (status.phase == api::Phase::ready && status.finished != object.status.finished)
        parts_.events.normal(
            about, "Synced",
            fmt::format("node {}: {} ready, {} from the origin and {} from other nodes at {}/s, {} reused", node,
                        format_size(status.size_bytes), format_size(status.origin_bytes),
                        format_size(status.peer_bytes), format_size(status.bytes_per_second),
                        format_size(status.reused_bytes)));
    if (status.phase == api::Phase::failed && status.last_error)
        parts_.events.warning(about, status.last_error->reason.str(),
                              fmt::format("node {}: {}", node, status.last_error->message));
    if (status.phase == api::Phase::evicted)
        parts_.events.normal(about, "Evicted",
                             fmt::format("node {}: {} freed", node, format_size(object.status.size_bytes)));
}

kube::ApiResult<> NodeState::write_status(const api::NodeDataset& object, api::NodeDatasetStatus status) {
    if (status == object.status) return {};
    announce(object, status);
    api::NodeDataset changed = object;
    changed.status = std::move(status);
    auto put = parts_.api.replace(kube::resources::node_datasets, api::object_json(changed), "status");
    if (!put && put.error().kind() != kube::ApiErrorKind::not_found) return std::move(put).error();
    if (put) parts_.node_datasets.learn(*put);
    return {};
}

kube::ApiResult<std::optional<uint64_t>> NodeState::reconcile(const std::string& name) {
    const auto object = parts_.node_datasets.get(name);
    if (!object) {
        forget(name);
        return std::optional<uint64_t>();
    }
    NodeDatasetView view{*object, parts_.transfers.view(name), parts_.volumes.pods_of(object->spec.dataset.uid), false,
                         false,   parts_.clock.unix_s()};
    const bool ready = view.transfer && view.transfer->phase == TransferPhase::ready;
    const std::string snapshot = ready ? view.transfer->snapshot : object->status.snapshot;
    if (!snapshot.empty()) {
        const auto info = parts_.snapshots.find(snapshot);
        view.in_store = info && info->state == store::SnapshotState::ready;
        const bool gone =
            info ? info->state == store::SnapshotState::evicting : info.error().kind() == ErrorKind::not_found;
        view.evicted_for_space = gone && (ready || object->status.phase == api::Phase::ready);
        if (ready && !view.in_store) {  // gone, or found damaged: then it is fetched again
            forget(name);
            view.transfer.reset();
        }
    }
    NodeDatasetDecision decision = decide_node_dataset(view);
    std::optional<uint64_t> again_ms;
    switch (decision.action) {
        case NodeDatasetDecision::Action::none: break;
        case NodeDatasetDecision::Action::adopt:
            parts_.transfers.adopt(name, snapshot, object->status.size_bytes);
            break;
        case NodeDatasetDecision::Action::forget: forget(name); break;
        case NodeDatasetDecision::Action::evict:
            if (auto done = evict(*object, decision); !done) return std::move(done).error();
            if (decision.phase != api::Phase::evicted) again_ms = kLeasedAgainMs;
            break;
        case NodeDatasetDecision::Action::ensure:
            parts_.transfers.ensure(*object);
            view.transfer = parts_.transfers.view(name);
            decision.phase = decide_node_dataset(view).phase;
            again_ms = object->spec.progress_seconds > 0 ? object->spec.progress_seconds * 1000ull : kReportEveryMs;
            if (view.transfer && view.transfer->phase == TransferPhase::waiting) again_ms = kWaitingAgainMs;
            if (view.transfer && view.transfer->phase == TransferPhase::failed)
                again_ms = std::max<uint64_t>(200, static_cast<uint64_t>(view.transfer->retry_in_ms));
            break;
    }
    if (decision.phase == api::Phase::ready) {
        const std::string held = view.transfer ? view.transfer->snapshot : snapshot;
        const auto info = held.empty() ? Result<store::SnapshotInfo>(Error()) : parts_.snapshots.find(held);
        if (info && info->pinned != object->spec.pinned)
            (void)parts_.snapshots.pin(info->id, object->spec.pinned).has_value();
        if (info && parts_.peers) view.peer_address = parts_.peers->give(*object, held);
    }
    if (auto written = write_status(*object, node_dataset_status(view, decision.phase)); !written)
        return std::move(written).error();
    const auto now = parts_.node_datasets.get(name);
    if (decision.release && now && now->metadata.has_finalizer(api::kNodeDataFinalizer)) {
        boost::json::array rest;
        for (const std::string& finalizer : now->metadata.finalizers)
            if (finalizer != api::kNodeDataFinalizer) rest.push_back(boost::json::value(finalizer));
        const boost::json::object patch{
            {"metadata",
             boost::json::object{{"finalizers", rest}, {"resourceVersion", now->metadata.resource_version}}}};
        auto patched = parts_.api.patch(kube::resources::node_datasets, "", name, kube::PatchKind::merge, patch);
        if (!patched && patched.error().kind() != kube::ApiErrorKind::not_found &&
            patched.error().kind() != kube::ApiErrorKind::conflict)
            return std::move(patched).error();
        if (!patched) again_ms = kWaitingAgainMs;
    }
    return again_ms;
}

}  // namespace zcdp::services::agent
