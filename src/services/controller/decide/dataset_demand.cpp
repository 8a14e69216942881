// Which nodes should hold a Dataset: those of its pods, its replicas, those of a prefetch, and one for each pod that
// waits.
#include <charconv>

#include "src/services/controller/decide/dataset_draft.hpp"

namespace zcdp::services::controller {
namespace {

constexpr int64_t kSettleS = 10;

bool eligible(const Draft& draft, const api::Node& node) {
    return node.ready() && !node.leaving() &&
           api::has_labels(node.metadata.labels, draft.view.dataset.spec.placement.node_selector);
}

/// A pod that is not placed yet and needs the data first. Each dataset of a pod is decided alone, so all must choose
/// the same node: the one where most of them are, then by a hash. A node that has no room is passed over; one that has
/// had everything for a while, and that the scheduler still did not take, is full in another way: the next one gets a
/// replica.
void demand_for_waiting(Draft& draft, const api::Pod& pod) {
    const bool unplaced = pod.unschedulable() && !pod.has_gate(api::kGate);
    std::vector<std::pair<std::tuple<bool, int, std::string>, const api::Node*>> ranked;
    for (const auto& [name, node] : draft.nodes) {
        if (!eligible(draft, *node) || !api::pod_fits(pod, *node, api::kDataLabelPrefix)) continue;
        const auto held = find_held(draft, name, draft.target);
        if (held && held->metadata.deleting()) continue;  // on its way out: it cannot be called back
        const PodHolding holding = draft.view.holding(pod, name);
        const bool full = unplaced && holding.all_ready && draft.view.now_unix_s - holding.since_unix_s >= kSettleS;
        if (full) continue;
        if (holding.all_ready) draft.may_bind.insert(name);
        ranked.push_back({{!draft.view.has_agent(name), -static_cast<int>(holding.held),
                           api::node_label_value(pod.metadata.uid + name)},
                          node.get()});
    }
    std::sort(ranked.begin(), ranked.end());
    const auto best =
        std::find_if(ranked.begin(), ranked.end(), [&](const auto& one) { return draft.view.room(pod, *one.second); });
    if (unplaced || best != ranked.begin()) draft.again_in(kSettleS);  // room comes and goes without a word
    if (best == ranked.end()) return;  // it goes where there will be room, and its data follows
    draft.demand.insert(best->second->metadata.name);
    draft.pod_demand.insert(best->second->metadata.name);
}

void demand_of_replicas(Draft& draft) {
    const uint64_t wanted = draft.view.dataset.spec.placement.replicas_wanted();
    if (wanted == 0) return;
    std::vector<std::pair<std::tuple<int, uint64_t, std::string>, std::string>> ranked;
    for (const auto& [name, node] : draft.nodes) {
        if (!eligible(draft, *node)) continue;
        const auto held = find_held(draft, name, draft.target);
        const bool demanded = draft.demand.contains(name);
        const int rank = held && is_ready(*held) ? 0
                         : demanded              ? 1
                         : held && held->status.phase != api::Phase::failed && held->status.phase != api::Phase::evicted
                             ? 2
                         : draft.view.has_agent(name) ? 3
                                                      : 4;
        ranked.push_back({{rank, draft.view.load(name), name}, name});
    }
    std::sort(ranked.begin(), ranked.end());
    for (size_t i = 0; i < ranked.size() && i < wanted; ++i) draft.demand.insert(ranked[i].second);
}

/// zcdp sync dataset/NAME --nodes SELECTOR: an annotation, there while somebody wants it so.
void demand_of_prefetch(Draft& draft) {
    const auto& annotations = draft.view.dataset.metadata.annotations;
    const auto wanted = annotations.find(api::kPrefetchAnnotation);
    if (wanted == annotations.end()) return;
    const api::StringMap labels = api::parse_labels(wanted->second);
    for (const auto& [name, node] : draft.nodes)
        if (eligible(draft, *node) && api::has_labels(node->metadata.labels, labels)) draft.demand.insert(name);
}

}  // namespace

void decide_demand(Draft& draft) {
    std::map<std::string, api::ClaimPolicy> policies;  // of each claim
    for (const auto& claim : draft.view.claims) policies[claim->metadata.name] = claim->spec.policy.value();
    for (const auto& pod : draft.view.pods)
        if (!pod->spec.node_name.empty() && !draft.gone(pod->spec.node_name))
            draft.demand.insert(pod->spec.node_name), draft.pod_demand.insert(pod->spec.node_name);
    demand_of_replicas(draft);
    demand_of_prefetch(draft);
    for (const auto& pod : draft.view.pods) {
        if (!pod->spec.node_name.empty() || pod->metadata.deleting()) continue;
        bool waits = pod->has_gate(api::kGate);
        for (const std::string& claim : pod->claims()) {
            const auto at = policies.find(claim);
            waits = waits || (at != policies.end() && (at->second == api::ClaimPolicy::require ||
                                                       at->second == api::ClaimPolicy::wait_for_data));
        }
        if (waits) demand_for_waiting(draft, *pod);
    }
}

}  // namespace zcdp::services::controller
