// What people are told of a Dataset: phase, numbers, conditions.
#include <fmt/format.h>

#include "src/services/controller/decide/dataset_draft.hpp"
#include "zcdp/base/units.hpp"

namespace zcdp::services::controller {
namespace {

void count_nodes(Draft& draft) {
    api::DatasetStatus& status = draft.status();
    std::set<std::string> wanted = draft.demand;
    status.nodes_ready = 0, status.origin_bytes = status.peer_bytes = status.reused_bytes = 0;
    status.progress.clear();
    uint64_t done = 0, total = 0;
    for (const auto& held : draft.view.held) {
        status.origin_bytes += held->status.origin_bytes, status.peer_bytes += held->status.peer_bytes,
            status.reused_bytes += held->status.reused_bytes;
        if (draft.gone(held->spec.node)) continue;
        if (held->spec.revision == draft.current && is_ready(*held))
            ++status.nodes_ready, wanted.insert(held->spec.node);
        if (held->status.phase == api::Phase::syncing)
            done += held->status.bytes_done, total += held->status.bytes_total;
    }
    if (total > 0) status.progress = fmt::format("{}%", done * 100 / total);
    // What is cached beyond the demand counts as wanted, and never for a node that has nothing yet.
    status.nodes_wanted = static_cast<uint32_t>(wanted.size());
    status.ready = fmt::format("{}/{}", status.nodes_ready, status.nodes_wanted);
}

}  // namespace

void clear_reported(Draft& draft) {
    // These two are found anew each time.
    for (api::Condition& condition : draft.status().conditions)
        if (condition.type == "Degraded" &&
            (condition.reason == api::Reason::snapshot_mismatch || condition.reason == api::Reason::snapshot_unknown))
            condition.reason = api::Reason::looking;
}

void match_snapshots(Draft& draft) {
    for (auto& version : draft.status().history) {
        std::map<std::string, std::string> found;  // snapshot -> node
        for (const auto& held : draft.view.held)
            if (held->spec.revision == version.revision && !held->status.snapshot.empty())
                found.emplace(held->status.snapshot, held->spec.node);
        if (found.empty()) continue;
        if (version.snapshot.empty() || !found.contains(version.snapshot)) version.snapshot = found.begin()->first;
        if (found.size() > 1)
            draft.condition("Degraded", api::ConditionStatus::yes, api::Reason::snapshot_mismatch,
                            fmt::format("nodes {} and {} have different snapshots of one revision: the origin gave "
                                        "them different bytes under the same tags",
                                        found.begin()->second, std::next(found.begin())->second));
    }
}

void describe(Draft& draft) {
    api::DatasetStatus& status = draft.status();
    const api::Dataset& dataset = draft.view.dataset;
    status.observed_generation = dataset.metadata.generation;
    status.revision = draft.current;
    for (const auto& version : status.history)
        if (version.revision == draft.current) {
            status.snapshot = version.snapshot;
            status.objects = version.objects, status.bytes = version.bytes;
            status.size = format_size(version.bytes);
        }
    count_nodes(draft);
    const api::NodeDataset* failed = nullptr;
    bool syncing = false;
    for (const auto& held : draft.view.held) {
        if (draft.gone(held->spec.node) || held->spec.wanted != api::Wanted::ensure) continue;
        if (held->status.last_error && !failed) failed = held.get();
        syncing = syncing || held->status.phase == api::Phase::syncing || held->status.phase == api::Phase::pending ||
                  held->status.phase.empty();
    }
    const api::Condition* listed = api::find_condition(status.conditions, "Listed");
    const bool listing_failed = listed && listed->status == api::ConditionStatus::no;
    if (dataset.metadata.deleting()) {
        status.phase = api::Phase::evicting;
        draft.condition("Ready", api::ConditionStatus::no, api::Reason::deleting,
                        draft.view.pods.empty()
                            ? "its data is being removed from the nodes"
                            : fmt::format("pod {} still uses it", draft.view.pods.front()->metadata.key()));
    } else if (draft.current.empty()) {
        status.phase = listing_failed ? api::Phase::failed : api::Phase::pending;
        draft.condition("Ready", api::ConditionStatus::no, listing_failed ? listed->reason : api::Reason::listing,
                        listing_failed ? listed->message : "the origin is being listed");
    } else if (status.nodes_ready > 0 && status.nodes_ready >= status.nodes_wanted) {
        status.phase = api::Phase::ready;
        draft.condition("Ready", api::ConditionStatus::yes, api::Reason::ready,
                        fmt::format("on {} node{}", status.nodes_ready, status.nodes_ready == 1 ? "" : "s"));
    } else if (failed) {
        status.phase = syncing ? api::Phase::syncing : api::Phase::failed;
        draft.condition("Ready", api::ConditionStatus::no, failed->status.last_error->reason,
                        fmt::format("node {}: {}", failed->spec.node, failed->status.last_error->message));
    } else if (status.nodes_wanted == 0) {
        status.phase = api::Phase::pending;
        draft.condition("Ready", api::ConditionStatus::no,
                        dataset.spec.paused ? api::Reason::paused : api::Reason::no_demand,
                        "no pod uses it and no replicas are asked for: it is fetched when one does");
    } else {
        status.phase = api::Phase::syncing;
        draft.condition("Ready", api::ConditionStatus::no, api::Reason::syncing,
                        fmt::format("{} of {} nodes have it", status.nodes_ready, status.nodes_wanted));
    }
    const api::Condition* degraded = api::find_condition(status.conditions, "Degraded");
    const bool fresh =
        degraded && degraded->status == api::ConditionStatus::yes &&
        (degraded->reason == api::Reason::snapshot_mismatch || degraded->reason == api::Reason::snapshot_unknown);
    if (fresh) return;
    // The reason of the first, the words of all: what a node says does not hide what the spec has wrong.
    api::Word<api::Reason> reason;
    std::string message;
    const auto add = [&](const api::Word<api::Reason>& why, const std::string& what) {
        if (reason.empty()) reason = why;
        message += (message.empty() ? "" : "; ") + what;
    };
    if (listing_failed && !draft.current.empty())
        add(listed->reason, "the present revision is kept: " + listed->message);
    if (!draft.withheld.empty()) add(draft.withheld_reason, draft.withheld);
    if (failed)
        add(failed->status.last_error->reason,
            fmt::format("node {}: {}", failed->spec.node, failed->status.last_error->message));
    if (!reason.empty()) draft.condition("Degraded", api::ConditionStatus::yes, reason, message);
    else draft.condition("Degraded", api::ConditionStatus::no, api::Reason::fine, "");
}

}  // namespace zcdp::services::controller
