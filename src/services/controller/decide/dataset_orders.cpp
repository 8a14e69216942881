// What each node is told: NodeDatasets that are made, called back, let go, taken away.
#include <fmt/format.h>

#include <map>

#include "src/services/controller/decide/dataset_draft.hpp"
#include "src/services/controller/decide/revision_source.hpp"
#include "zcdp/base/units.hpp"

namespace zcdp::services::controller {
namespace {

constexpr int64_t kEvictedPauseS = 600;

/// Where a revision is; nullopt when nobody knows it, or it may not be read from there any more: `why` says so then.
std::optional<api::NodeDatasetSource> source_for(const Draft& draft, const Revision& revision, ResolvedSource& why) {
    const api::DatasetVersion* version = find_version(draft.out.status, revision);
    if (!version) return std::nullopt;
    why = version->backend.empty()
              ? draft.view.source
              : resolve_version(*version, draft.view.dataset.metadata.namespace_, draft.view.backends);
    if (!why.backend) return std::nullopt;
    return api::NodeDatasetSource{why.backend->metadata.name, why.prefix,    why.include, why.exclude,
                                  version->objects,           version->bytes};
}

api::NodeDataset order(const Draft& draft, const std::string& node, const Revision& revision,
                       api::NodeDatasetSource source) {
    const api::Dataset& dataset = draft.view.dataset;
    api::NodeDataset out;
    out.metadata.name = api::node_dataset_name(node, dataset.metadata.uid, revision);
    out.metadata.labels = {{api::kNodeLabel, api::node_label_value(node)}, {"app.kubernetes.io/part-of", "zcdp"}};
    out.metadata.finalizers = {api::kNodeDataFinalizer};
    if (const api::Node* owner = draft.node(node))
        out.metadata.owner_references = {{"v1", "Node", node, owner->metadata.uid, false, false}};
    out.spec.node = node;
    out.spec.dataset = {dataset.metadata.namespace_, dataset.metadata.name, dataset.metadata.uid};
    out.spec.revision = revision;
    out.spec.wanted = api::Wanted::ensure;
    out.spec.pinned = dataset.spec.retention.pinned;
    out.spec.transfer = dataset.spec.transfer;
    out.spec.source = std::move(source);
    return out;
}

/// How often a node may write its progress: every `active nodes / 50` seconds, so that all of them together write at
/// most 50 times in a second; at least 5 s, at most 10 min.
uint32_t progress_seconds(const Draft& draft) {
    size_t active = draft.out.create.size();
    for (const auto& held : draft.view.held)
        active += held->spec.wanted == api::Wanted::ensure && held->status.phase != api::Phase::ready;
    return static_cast<uint32_t>(std::clamp<size_t>(active / 50, 5, 600));
}

bool is_used(const api::NodeDataset& held) { return !held.status.pods.empty(); }

/// Who leaves is no replica any more, but others get the data from there until they have it.
bool is_source_for_replicas(const Draft& draft, const api::NodeDataset& held) {
    const api::Node* node = draft.node(held.spec.node);
    if (!node || !node->leaving() || draft.view.dataset.spec.placement.replicas_wanted() == 0) return false;
    size_t replicas = 0;
    for (const std::string& name : draft.demand) {
        const api::Node* other = draft.node(name);
        if (!other || other->leaving()) continue;
        const auto there = find_held(draft, name, held.spec.revision);
        if (!there || !is_ready(*there)) return true;
        ++replicas;
    }
    return replicas == 0;
}

/// Whether an object that nobody demands should go now; else it stays until space is needed.
bool should_go(Draft& draft, const api::NodeDataset& held, const std::set<Revision>& kept) {
    const api::Dataset& dataset = draft.view.dataset;
    if (!kept.contains(held.spec.revision)) return true;
    if (is_source_for_replicas(draft, held)) return false;
    const api::Node* node = draft.node(held.spec.node);
    if (node && !api::has_labels(node->metadata.labels, dataset.spec.placement.node_selector)) return true;
    const auto ttl = parse_duration_ms(dataset.spec.retention.ttl);
    if (!ttl || *ttl == 0 || dataset.spec.retention.pinned || is_used(held) || held.status.phase != api::Phase::ready)
        return false;
    const int64_t due = api::parse_time(held.status.last_use) + static_cast<int64_t>(*ttl / 1000);
    if (draft.view.now_unix_s >= due) return true;
    draft.again_in(static_cast<uint64_t>(due - draft.view.now_unix_s));
    return false;
}

std::set<Revision> kept_revisions(const Draft& draft) {
    std::set<Revision> kept{draft.current, draft.target};
    const uint32_t most = draft.view.dataset.spec.retention.keep_snapshots.value_or(1);
    uint32_t count = 0;
    for (const auto& version : draft.out.status.history)
        if (!kept.contains(version.revision) && !version.snapshot.empty() && count < most)
            kept.insert(version.revision), ++count;
    return kept;
}

/// One that waits for bytes is told where its revision is now known to be: the same one was found in another folder, or
/// an older version of the controller had told it what the spec said. Each is told what the spec says of peers.
void redirect(Draft& draft, const std::shared_ptr<const api::NodeDataset>& held) {
    if (held->spec.wanted != api::Wanted::ensure) return;
    ResolvedSource why;
    const auto known =
        held->status.phase == api::Phase::ready ? std::nullopt : source_for(draft, held->spec.revision, why);
    Redirection to{held, known.value_or(held->spec.source), draft.view.dataset.spec.transfer};
    if (to.source != held->spec.source || to.transfer != held->spec.transfer)
        draft.out.redirect.push_back(std::move(to));
}

/// One object that is there: leave it, call it back, let it go, take it away.
void judge(Draft& draft, const std::shared_ptr<const api::NodeDataset>& held, const std::set<Revision>& kept) {
    if (draft.gone(held->spec.node)) {
        if (!held->metadata.deleting()) draft.out.remove.push_back(held);
        if (held->metadata.has_finalizer(api::kNodeDataFinalizer)) draft.out.release.push_back(held);
        return;
    }
    if (const api::Node* node = draft.node(held->spec.node); node && !node->ready()) draft.again_in(kNodeGoneAfterS);
    if (held->metadata.deleting()) return;
    const bool needed = draft.demand.contains(held->spec.node) &&
                        (held->spec.revision == draft.current || held->spec.revision == draft.target);
    if (held->status.phase == api::Phase::evicted) {
        // A pod cannot wait; a replica that lost its place to others tries again later.
        const int64_t since = draft.view.now_unix_s - api::parse_time(held->metadata.creation_timestamp);
        const bool at_once = !needed || held->spec.wanted == api::Wanted::evict ||
                             draft.pod_demand.contains(held->spec.node) || since >= kEvictedPauseS;
        if (at_once) draft.out.remove.push_back(held);
        else draft.again_in(static_cast<uint64_t>(kEvictedPauseS - since));
        return;
    }
    const bool expected = held->spec.revision == draft.current && draft.may_bind.contains(held->spec.node);
    const bool go = !needed && !expected && should_go(draft, *held, kept);
    if (go && held->spec.wanted != api::Wanted::evict) draft.out.evict.push_back(held);
    if (!go && held->spec.wanted == api::Wanted::evict && needed) draft.out.ensure.push_back(held);
    if (!go) redirect(draft, held);
}

}  // namespace

void decide_orders(Draft& draft) {
    const std::set<Revision> kept = kept_revisions(draft);
    for (const auto& held : draft.view.held) judge(draft, held, kept);
    if (draft.view.dataset.spec.paused) return;
    std::set<Revision> revisions{draft.target};
    if (!draft.current.empty()) revisions.insert(draft.current);
    for (const std::string& node : draft.demand) {
        if (!draft.node(node)) continue;
        for (const Revision& revision : revisions) {
            // The old one is only fetched anew where a pod needs it before the new one is there.
            const bool old = revision != draft.target;
            if (revision.empty() || find_held(draft, node, revision) || (old && !draft.pod_demand.contains(node)))
                continue;
            ResolvedSource why;
            if (auto source = source_for(draft, revision, why))
                draft.out.create.push_back(order(draft, node, revision, std::move(*source)));
            else
                draft.withheld_reason = why.reason,
                draft.withheld = fmt::format("revision {} is not fetched by other nodes: {}",
                                             revision.str().substr(0, 12), why.message);
        }
    }
    if (draft.out.create.empty()) return;
    const uint32_t every_s = progress_seconds(draft);
    std::map<Revision, uint32_t> at_once;
    for (const auto& object : draft.out.create) ++at_once[object.spec.revision];
    for (auto& object : draft.out.create) {
        object.spec.progress_seconds = every_s;
        object.spec.fetching_nodes = at_once[object.spec.revision];
    }
}

}  // namespace zcdp::services::controller
