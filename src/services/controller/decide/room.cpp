#include "src/services/controller/decide/room.hpp"

#include <algorithm>
#include <limits>

namespace zcdp::services::controller {
namespace {

constexpr int64_t kPromiseLastsNs = 60'000'000'000;

/// Pods of at least this priority stand in the way.
int64_t counted_from(const api::Pod& pod) {
    return pod.spec.preemption_policy == "Never" ? std::numeric_limits<int64_t>::min() : pod.spec.priority;
}

}  // namespace

api::Amounts free_on(const api::Node& node, const Objects<api::Pod>& there, const api::Pod& pod) {
    api::Amounts taken;
    for (const auto& one : there)
        if (!one->ended() && one->metadata.uid != pod.metadata.uid && one->spec.priority >= counted_from(pod))
            api::add(taken, one->requests);
    api::Amounts free = api::amounts_of(node.status.allocatable);
    for (api::Amount& amount : free)
        amount.thousandths = std::max<int64_t>(0, amount.thousandths - api::amount_of(taken, amount.resource));
    return free;
}

void Promises::make(const api::Pod& pod, const std::string& node, int64_t now_ns) {
    made_[pod.metadata.uid] = {pod.metadata.key(), node, pod.requests, now_ns};
}

void Promises::settle(const World& world, int64_t now_ns) {
    std::erase_if(made_, [&](const auto& entry) {
        const auto pod = world.pods.get(entry.second.key);
        const bool waits = pod && pod->metadata.uid == entry.first && pod->spec.node_name.empty() && !pod->ended();
        return !waits || now_ns - entry.second.at_ns >= kPromiseLastsNs;
    });
}

api::Amounts Promises::on(const std::string& node, const std::string& except_uid) const {
    api::Amounts out;
    for (const auto& [uid, promise] : made_)
        if (promise.node == node && uid != except_uid) api::add(out, promise.amounts);
    return out;
}

bool Rooms::has(const api::Pod& pod, const api::Node& node) {
    if (node.status.allocatable.empty()) return true;  // kubelet has not said yet
    const auto [at, fresh] = free_.try_emplace({node.metadata.name, counted_from(pod)});
    if (fresh) at->second = free_on(node, world_.pods.by_index(on_node_index(node.metadata.name)), pod);
    api::Amounts wanted = pod.requests;
    api::add(wanted, promises_.on(node.metadata.name, pod.metadata.uid));
    for (api::Amount& amount : wanted)
        if (api::amount_of(pod.requests, amount.resource) == 0) amount.thousandths = 0;  // it does not ask for this one
    return api::covers(at->second, wanted);
}

}  // namespace zcdp::services::controller
