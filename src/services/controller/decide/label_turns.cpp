#include "src/services/controller/decide/label_turns.hpp"

#include <algorithm>

#include "zcdp/api/names.hpp"

namespace zcdp::services::controller {
namespace {

constexpr int64_t kMs = 1'000'000;
constexpr int64_t kRoundNs = 500 * kMs;           // labels that come together are put together
constexpr int64_t kRoundEveryNs = 4'000 * kMs;    // what is left of it is the gates' turn
constexpr int64_t kOpenedLatelyNs = 1'000 * kMs;  // the cache may not show yet what became of the pod
constexpr int64_t kWaitMostNs = 5'000 * kMs;      // a scheduler that does nothing holds nobody up
constexpr int64_t kLookAgainNs = 500 * kMs;
constexpr int64_t kLooksEndedNs =
    3'000 * kMs;  // who has not looked for so long waits no more: a node that is gone, a controller that stood still

}  // namespace

int64_t LabelTurns::Wait::so_far_ns(int64_t now_ns) {
    if (!is_on(now_ns)) since_ns = now_ns;
    looked_ns = now_ns;
    return now_ns - since_ns;
}

bool LabelTurns::Wait::is_on(int64_t now_ns) const { return since_ns != 0 && now_ns - looked_ns < kLooksEndedNs; }

bool LabelTurns::Turn::opened_lately(int64_t now_ns) const {
    return opened_ns != 0 && now_ns - opened_ns < kOpenedLatelyNs;
}

void LabelTurns::see(const api::Node& node, int64_t now_ns) {
    std::set<std::string> carries;
    for (const auto& [label, value] : node.metadata.labels)
        if (label.starts_with(api::kDataLabelPrefix)) carries.insert(label);
    auto& known = carried_[node.metadata.name];
    for (const std::string& label : carries)
        if (!known.contains(label)) turns_[label].newest_ns = now_ns;
    known = std::move(carries);
}

int64_t LabelTurns::closed_ns(const std::string& label, int64_t now_ns) const {
    const auto at = turns_.find(label);
    if (at == turns_.end()) return kHeardAfterNs;
    const Turn& turn = at->second;
    return std::max(turn.wait.is_on(now_ns) ? kLookAgainNs : 0, turn.newest_ns + kHeardAfterNs - now_ns);
}

void LabelTurns::opening(const std::vector<std::string>& labels, int64_t now_ns) {
    for (const std::string& label : labels) turns_[label].opened_ns = now_ns;
}

int64_t LabelTurns::before_put_ns(const std::string& label, bool pods_between, int64_t now_ns) {
    Turn& turn = turns_[label];
    if (turn.round_ns != 0 && now_ns < turn.round_ns + kRoundNs) return 0;
    if (turn.round_ns != 0 && now_ns < turn.round_ns + kRoundEveryNs) return turn.round_ns + kRoundEveryNs - now_ns;
    if (!pods_between && !turn.opened_lately(now_ns)) return 0;
    return turn.wait.so_far_ns(now_ns) >= kWaitMostNs ? 0 : kLookAgainNs;
}

int64_t LabelTurns::before_removal_ns(const std::string& node, const std::string& label, bool pods_between,
                                      int64_t now_ns) {
    const auto turn = turns_.find(label);
    const bool opened_lately = turn != turns_.end() && turn->second.opened_lately(now_ns);
    if (!pods_between && !opened_lately) {
        leaving_[node].erase(label);
        return 0;
    }
    // Gates go on going meanwhile: none that has just gone may lose its node.
    const bool long_enough = leaving_[node][label].so_far_ns(now_ns) >= kWaitMostNs;
    return long_enough && !opened_lately ? 0 : kLookAgainNs;
}

void LabelTurns::putting(const std::string& label, int64_t now_ns) {
    Turn& turn = turns_[label];
    if (turn.round_ns == 0 || now_ns >= turn.round_ns + kRoundNs) turn.round_ns = now_ns;
    turn.newest_ns = now_ns;
    turn.wait = {};
}

bool is_arriving(const api::Pod& pod) {
    return !pod.spec.node_name.empty() && pod.status.start_time.empty() && pod.status.phase == api::PodPhase::pending &&
           !pod.metadata.deleting() && !pod.claims().empty();
}

bool is_between(const api::Pod& pod, const std::string& label) {
    if (!pod.spec.node_name.empty() || !pod.spec.scheduling_gates.empty() || pod.unschedulable() ||
        pod.metadata.deleting())
        return false;
    if (!pod.spec.affinity || !pod.spec.affinity->node_affinity || !pod.spec.affinity->node_affinity->required)
        return false;
    for (const auto& term : pod.spec.affinity->node_affinity->required->terms)
        for (const auto& expression : term.match_expressions)
            if (expression.key == label) return true;
    return false;
}

}  // namespace zcdp::services::controller
