// A pod that waits for its data: its gate goes (decide_pod.hpp), and until then it says why.
#include <algorithm>

#include "src/services/controller/reconcile/reconcile.hpp"

namespace zcdp::services::controller {
namespace {

namespace json = boost::json;

constexpr size_t kToldMost = 10'000, kMessageMost = 1'000;

/// A condition's place in its list is found by its type; other conditions stay. Of this very pod.
json::object condition_patch(const api::Pod& pod, const DataReady& says, const std::string& since,
                             const std::string& now) {
    const json::object condition{{"type", api::kDataReadyCondition},
                                 {"status", says.ready ? "True" : "False"},
                                 {"reason", says.reason.text()},
                                 {"message", says.message.substr(0, kMessageMost)},
                                 {"lastProbeTime", now},
                                 {"lastTransitionTime", since}};
    return {{"metadata", json::object{{"uid", pod.metadata.uid}}},
            {"status", json::object{{"conditions", json::array{condition}}}}};
}

/// Whether a pod may be held back for this label: a claim of its dataset says so.
bool label_is_waited_for(const World& world, const api::Node& node, const std::string& label) {
    for (const auto& held : world.node_datasets.by_index("node/" + node.metadata.name)) {
        if (api::data_label(held->spec.dataset.uid) != label) continue;
        for (const auto& claim : world.claims_of(api::dataset_key(held->spec.dataset)))
            if (claim->spec.policy == api::ClaimPolicy::require ||
                claim->spec.policy == api::ClaimPolicy::wait_for_data)
                return true;
    }
    return false;
}

bool is_gone(const kube::ApiError& error) { return error.kind() == kube::ApiErrorKind::not_found; }

}  // namespace

PodView Reconciler::view_of(const api::Pod& pod, Rooms& rooms) const {
    World& world = parts_.world;
    const int64_t now_ns = parts_.clock.monotonic_ns();
    PodView view{pod,
                 {},
                 {},
                 [&rooms, &pod](const api::Node& node) { return rooms.has(pod, node); },
                 [this, now_ns](const std::string& label) { return turns_.closed_ns(label, now_ns); },
                 parts_.clock.unix_s()};
    for (const std::string& name : pod.claims()) {
        PodClaim one{name, world.claims.get(pod.metadata.namespace_ + "/" + name), nullptr, {}};
        if (one.claim) one.dataset = world.dataset(api::dataset_key(*one.claim));
        if (one.dataset)
            for (const auto& held : world.node_datasets.by_index(one.dataset->metadata.uid))
                if (held->spec.revision == one.dataset->status.revision) one.held.push_back(held);
        view.claims.push_back(std::move(one));
    }
    return view;
}

kube::ApiResult<> Reconciler::open_gate(const api::Pod& pod, const PodDecision& decision) {
    auto raw = parts_.api.get(kube::resources::pods, pod.metadata.namespace_, pod.metadata.name);
    if (!raw && is_gone(raw.error())) return {};
    if (!raw) return std::move(raw).error();
    const json::array patch = open_gate_patch(*raw, decision.required_labels, decision.preferred_labels);
    if (patch.empty()) return {};
    if (auto allowed = write_allowed(); !allowed) return allowed;
    turns_.opening(decision.required_labels, parts_.clock.monotonic_ns());
    if (!decision.node.empty()) promises_.make(pod, decision.node, parts_.clock.monotonic_ns());
    auto patched = parts_.api.patch(kube::resources::pods, pod.metadata.namespace_, pod.metadata.name,
                                    kube::PatchKind::json_patch, patch);
    if (!patched && is_gone(patched.error())) return {};
    if (!patched) return std::move(patched).error();
    parts_.world.pods.learn(*patched);
    parts_.log.info("opened the gate", {{"pod", pod.metadata.key()}});
    return {};
}

/// On the pod: an event when the reason is another one, and the condition; how far it is, now and then.
kube::ApiResult<> Reconciler::tell(const api::Pod& pod, const DataReady& says) {
    const api::Condition* before = api::find_condition(pod.status.conditions, api::kDataReadyCondition);
    if (!before && says.ready) return {};  // it never had to wait
    const bool turned = !before || (before->status == api::ConditionStatus::yes) != says.ready;
    const bool another = turned || before->reason != says.reason;
    const int64_t now_ns = parts_.clock.monotonic_ns();
    if (!another) {
        const auto told = told_ns_.find(pod.metadata.uid);
        const bool lately = told != told_ns_.end() &&
                            now_ns - told->second < percent_every_ns(parts_.world.pods.by_index(kGatedIndex).size());
        if (lately || before->message == says.message.substr(0, kMessageMost)) return {};
    }
    if (auto allowed = write_allowed(); !allowed) return allowed;
    const std::string now = iso8601(parts_.clock.unix_s());
    auto patched =
        parts_.api.patch(kube::resources::pods, pod.metadata.namespace_, pod.metadata.name, kube::PatchKind::strategic,
                         condition_patch(pod, says, turned ? now : before->last_transition_time, now), "status");
    if (!patched && is_gone(patched.error())) return {};
    if (!patched) return std::move(patched).error();
    if (told_ns_.size() >= kToldMost) told_ns_.clear();
    told_ns_[pod.metadata.uid] = now_ns;
    if (another) {
        const kube::EventObject about{"v1", "Pod", pod.metadata.namespace_, pod.metadata.name, pod.metadata.uid};
        if (says.wrong) parts_.events.warning(about, says.reason.str(), says.message);
        else parts_.events.normal(about, says.ready ? "DataReady" : says.reason.str(), says.message);
    }
    parts_.world.pods.learn(*patched);
    return {};
}

/// Leaves `labels` as the node should carry them now: those that must wait until no pod is on its way are as they were.
/// The seconds until the next look.
std::optional<uint64_t> Reconciler::wait_for_turn(std::map<std::string, std::string>& labels, const api::Node& node) {
    const World& world = parts_.world;
    const std::string& name = node.metadata.name;
    const int64_t now_ns = parts_.clock.monotonic_ns();
    const auto pods_between = [&](const std::string& label) {
        const auto unplaced = world.pods.by_index(kUnplacedIndex);
        return std::any_of(unplaced.begin(), unplaced.end(), [&](const auto& pod) { return is_between(*pod, label); });
    };
    int64_t wait_ns = 0;
    for (auto at = labels.begin(); at != labels.end();) {
        const std::string& label = at->first;
        int64_t turn_ns = 0;
        if (!node.metadata.labels.contains(label) && label_is_waited_for(world, node, label)) {
            turn_ns = turns_.before_put_ns(label, pods_between(label), now_ns);
            if (turn_ns == 0) turns_.putting(label, now_ns);
        }
        wait_ns = std::max(wait_ns, turn_ns);
        at = turn_ns > 0 ? labels.erase(at) : std::next(at);
    }
    for (const auto& [label, value] : node.metadata.labels) {
        if (!label.starts_with(api::kDataLabelPrefix) || labels.contains(label)) continue;
        const auto here = world.pods.by_index(on_node_index(name));
        const bool arriving = std::any_of(here.begin(), here.end(), [](const auto& pod) { return is_arriving(*pod); });
        const int64_t turn_ns = turns_.before_removal_ns(name, label, arriving || pods_between(label), now_ns);
        if (turn_ns > 0) labels[label] = value;
        wait_ns = std::max(wait_ns, turn_ns);
    }
    return wait_ns > 0 ? std::optional<uint64_t>(static_cast<uint64_t>((wait_ns + 999'999'999) / 1'000'000'000))
                       : std::nullopt;
}

Reconciler::Again Reconciler::reconcile_pod(const std::string& key) {
    const auto pod = parts_.world.pods.get(key);
    if (!pod || pod->metadata.deleting() || pod->ended()) return std::optional<uint64_t>();
    promises_.settle(parts_.world, parts_.clock.monotonic_ns());
    Rooms rooms(parts_.world, promises_);
    PodView view = view_of(*pod, rooms);
    const bool gated = pod->has_gate(api::kGate);
    if (gated) view.nodes = parts_.world.nodes.list();
    const PodDecision decision = gated ? decide_pod(view) : decide_placed_pod(view);
    if (decision.open_gate)
        if (auto done = open_gate(*pod, decision); !done) return std::move(done).error();
    if (decision.says)
        if (auto done = tell(*pod, *decision.says); !done) return std::move(done).error();
    return decision.again_s;
}

}  // namespace zcdp::services::controller
