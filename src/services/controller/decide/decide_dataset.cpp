#include "src/services/controller/decide/decide_dataset.hpp"

#include "src/services/controller/decide/dataset_draft.hpp"

namespace zcdp::services::controller {
namespace {

bool ready_on(const Draft& draft, const std::string& node, const Revision& revision) {
    const auto held = find_held(draft, node, revision);
    return held && is_ready(*held);
}

/// Which revision new pods see, and which one is on its way.
void decide_revisions(Draft& draft) {
    const auto& history = draft.status().history;
    const api::Dataset& dataset = draft.view.dataset;
    draft.target = history.empty() ? Revision() : history.front().revision;
    draft.current = draft.before().revision;
    if (!dataset.spec.snapshot.empty()) {
        const auto at = std::find_if(history.begin(), history.end(),
                                     [&](const auto& version) { return version.snapshot == dataset.spec.snapshot; });
        draft.target = at != history.end() ? at->revision : draft.current;
        if (at == history.end())
            draft.condition("Degraded", api::ConditionStatus::yes, api::Reason::snapshot_unknown,
                            "spec.snapshot names a snapshot that is not in status.history");
    }
    const bool known = std::any_of(history.begin(), history.end(),
                                   [&](const auto& version) { return version.revision == draft.current; });
    if (!known) draft.current = draft.target;
}

bool is_somewhere(const Draft& draft, const Revision& revision) {
    return std::any_of(draft.view.held.begin(), draft.view.held.end(), [&](const auto& held) {
        return held->spec.revision == revision && is_ready(*held) && !draft.gone(held->spec.node);
    });
}

/// The new revision takes over once it is everywhere it is wanted, or when the old one is nowhere. One that
/// spec.snapshot names (the newer one is bad, say) need only be somewhere, but that it must: its folder may be gone
/// from the origin.
void switch_revision(Draft& draft) {
    if (draft.current == draft.target) return;
    const bool old_somewhere = is_somewhere(draft, draft.current);
    const bool asked_for = !draft.view.dataset.spec.snapshot.empty() && is_somewhere(draft, draft.target);
    const bool new_everywhere = std::all_of(draft.demand.begin(), draft.demand.end(), [&](const auto& node) {
        return ready_on(draft, node, draft.target) || !draft.node(node) || !draft.node(node)->ready();
    });
    if (!old_somewhere || new_everywhere || asked_for) draft.current = draft.target;
}

/// Deleting: nobody may use it any more, then every node lets go, then the object may go.
void decide_deletion(Draft& draft) {
    const bool unused = draft.view.pods.empty();
    for (const auto& held : draft.view.held) {
        const bool gone = draft.gone(held->spec.node);
        if (!held->metadata.deleting() && (unused || gone)) draft.out.remove.push_back(held);
        if (gone && held->metadata.has_finalizer(api::kNodeDataFinalizer)) draft.out.release.push_back(held);
    }
    draft.out.remove_finalizer = unused && draft.view.held.empty();
    draft.current = draft.before().revision;
    describe(draft);
}

}  // namespace

bool is_ready(const api::NodeDataset& held) {
    return held.status.phase == api::Phase::ready && held.spec.wanted == api::Wanted::ensure &&
           !held.metadata.deleting();
}

std::shared_ptr<const api::NodeDataset> find_held(const Draft& draft, const std::string& node,
                                                  const Revision& revision) {
    for (const auto& held : draft.view.held)
        if (held->spec.node == node && held->spec.revision == revision) return held;
    return nullptr;
}

bool node_is_gone(const api::Node* node, int64_t now_unix_s) {
    if (!node) return true;
    if (node->ready()) return false;
    const api::Condition* ready = api::find_condition(node->status.conditions, "Ready");
    return ready && now_unix_s - api::parse_time(ready->last_transition_time) >= kNodeGoneAfterS;
}

DatasetDecision decide_dataset(const DatasetView& view) {
    Draft draft{view, {}, {}, {}, {}, {}, {}, {}, {}, {}};
    draft.out.status = view.dataset.status;
    for (const auto& node : view.nodes) draft.nodes[node->metadata.name] = node;
    clear_reported(draft);
    if (view.dataset.metadata.deleting()) {
        decide_deletion(draft);
        return std::move(draft.out);
    }
    draft.out.add_finalizer = !view.dataset.metadata.has_finalizer(api::kInUseFinalizer);
    decide_listing(draft);
    decide_revisions(draft);
    match_snapshots(draft);
    decide_demand(draft);
    switch_revision(draft);
    decide_orders(draft);
    describe(draft);
    return std::move(draft.out);
}

}  // namespace zcdp::services::controller
