#include "src/services/controller/decide/decide_pod.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "src/services/controller/decide/label_turns.hpp"
#include "zcdp/base/units.hpp"

namespace zcdp::services::controller {
namespace {

constexpr int64_t kQuietS = 5;  // what is over by then is not told
constexpr uint64_t kLookAgainS = 10, kToldAgainS = 30;
constexpr int64_t kMs = 1'000'000, kSoonNs = 1'000 * kMs;

bool is_held_ready(const api::NodeDataset& held) {
    return held.status.phase == api::Phase::ready && held.spec.wanted == api::Wanted::ensure &&
           !held.metadata.deleting();
}

bool waits_for(const PodClaim& one) {
    return one.claim && (one.claim->spec.policy == api::ClaimPolicy::wait_for_data ||
                         one.claim->spec.policy == api::ClaimPolicy::require);
}

DataReady under_way(api::Word<api::Reason> reason, std::string message) {
    return {false, std::move(reason), std::move(message), false};
}
DataReady wrong(api::Word<api::Reason> reason, std::string message) {
    return {false, std::move(reason), std::move(message), true};
}

std::string names_of(const std::set<std::string>& names) {
    constexpr size_t kMost = 3;
    std::string out;
    size_t count = 0;
    for (const std::string& name : names) {
        if (count++ == kMost) return out + fmt::format(" and {} more", names.size() - kMost);
        out += (count > 1 ? ", " : "") + name;
    }
    return out;
}

/// What a transfer, or the lack of one, says.
DataReady of_transfers(const PodClaim& one, const std::string& only_on_node) {
    const api::NodeDataset* running = nullptr;
    const api::NodeDataset* failed = nullptr;
    std::set<std::string> ready;
    for (const auto& held : one.held) {
        if (!only_on_node.empty() && held->spec.node != only_on_node) continue;
        if (is_held_ready(*held)) ready.insert(held->spec.node);
        else if (held->status.last_error) failed = failed ? failed : held.get();
        else if (held->status.phase == api::Phase::syncing &&
                 (!running || held->status.bytes_done > running->status.bytes_done))
            running = held.get();
    }
    if (running) {
        const uint64_t total = running->status.bytes_total != 0
                                   ? running->status.bytes_total
                                   : one.dataset->status.bytes.value_or(0);  // the node has just begun
        const uint64_t done = std::min(running->status.bytes_done, total);
        return under_way(api::Reason::syncing, total == 0
                                                   ? fmt::format("node {} has begun to fetch it", running->spec.node)
                                                   : fmt::format("node {} has {} percent of {}", running->spec.node,
                                                                 done * 100 / total, format_size(total)));
    }
    if (failed)
        return wrong(failed->status.last_error->reason,
                     fmt::format("node {}: {}", failed->spec.node, failed->status.last_error->message));
    if (one.dataset->spec.paused)
        return wrong(api::Reason::paused, "the Dataset is paused, and not where the pod may run");
    if (!ready.empty())
        return under_way(
            api::Reason::elsewhere,
            fmt::format("it is on {}, which cannot take the pod now; it will be fetched to a node that can",
                        names_of(ready)));
    return under_way(api::Reason::placing, "it is on no node yet");
}

/// The claims that the pod waits for, or the first thing that is wrong with their names.
std::optional<DataReady> named_wrongly(const PodClaim& one) {
    if (!one.claim)
        return wrong(api::Reason::claim_not_found,
                     fmt::format("there is no DatasetClaim {} in this namespace", one.name));
    if (!one.dataset)
        return wrong(api::Reason::dataset_not_found, fmt::format("claim {}: there is no Dataset {} in this namespace",
                                                                 one.name, one.claim->spec.dataset));
    return std::nullopt;
}

std::string told(const PodClaim& one, const std::string& message) {
    return fmt::format("claim {}, dataset {}: {}", one.name, one.claim->spec.dataset, message);
}

/// What is over soon is not worth a write.
void say(const PodView& view, DataReady says, PodDecision& out) {
    const int64_t waited_s = view.now_unix_s - api::parse_time(view.pod.metadata.creation_timestamp);
    const bool quiet = !says.wrong && waited_s >= 0 && waited_s < kQuietS;
    out.again_s =
        std::min(out.again_s.value_or(kToldAgainS), quiet ? static_cast<uint64_t>(kQuietS - waited_s) : kToldAgainS);
    if (!quiet) out.says = std::move(says);
}

/// The data that is waited for, as labels, and the nodes that have all of it.
struct Wanted {
    std::vector<const PodClaim*> claims;
    std::vector<std::string> labels;
    std::set<std::string> ready;
};

Wanted wanted_by(const PodView& view) {
    Wanted out;
    for (const PodClaim& one : view.claims) {
        if (!waits_for(one)) continue;
        std::set<std::string> ready;
        for (const auto& held : one.held)
            if (is_held_ready(*held)) ready.insert(held->spec.node);
        if (out.claims.empty()) out.ready = std::move(ready);
        else std::erase_if(out.ready, [&](const std::string& node) { return !ready.contains(node); });
        out.claims.push_back(&one);
        out.labels.push_back(api::data_label(one.dataset->metadata.uid));
    }
    return out;
}

std::vector<const api::Node*> fitting_nodes(const PodView& view, const Wanted& wanted) {
    std::vector<const api::Node*> out;
    for (const auto& node : view.nodes) {
        const auto in_placement = [&](const PodClaim* one) {
            return api::has_labels(node->metadata.labels, one->dataset->spec.placement.node_selector);
        };
        if (node->ready() && !node->leaving() && api::pod_fits(view.pod, *node) &&
            std::all_of(wanted.claims.begin(), wanted.claims.end(), in_placement))
            out.push_back(node.get());
    }
    return out;
}

/// Nobody could take the pod: whoever makes nodes must see it, and see what such a node needs.
PodDecision let_go_without(const Wanted& wanted, bool fits_somewhere) {
    PodDecision out;
    out.open_gate = true;
    out.preferred_labels = wanted.labels;
    const PodClaim& first = *wanted.claims.front();
    out.says =
        fits_somewhere
            ? under_way(
                  api::Reason::no_room,
                  told(first,
                       "no node that the pod may run on has room for it; it is fetched to the node that the pod gets"))
            : under_way(
                  api::Reason::no_node,
                  told(first, "the pod may run on no node that there is; it is fetched to the node that the pod gets"));
    return out;
}

}  // namespace

DataReady why_not_ready(const PodClaim& one, const std::string& only_on_node) {
    if (auto misnamed = named_wrongly(one)) return std::move(*misnamed);
    const api::Dataset& dataset = *one.dataset;
    DataReady out;
    if (dataset.metadata.deleting() || one.claim->metadata.deleting()) {
        out = wrong(api::Reason::deleting, "the Dataset or the claim is being deleted");
    } else if (dataset.status.revision.empty()) {
        const api::Condition* listed = api::find_condition(dataset.status.conditions, "Listed");
        out = listed && listed->status == api::ConditionStatus::no
                  ? wrong(listed->reason, listed->message)
                  : under_way(api::Reason::listing, "the origin is being listed");
    } else {
        out = of_transfers(one, only_on_node);
    }
    out.message = told(one, out.message);
    return out;
}

PodDecision decide_pod(const PodView& view) {
    PodDecision out;
    for (const PodClaim& one : view.claims)
        if (auto misnamed = named_wrongly(one)) {
            say(view, std::move(*misnamed), out);
            return out;
        }
    const Wanted wanted = wanted_by(view);
    if (wanted.claims.empty()) {  // nothing is waited for any more
        out.open_gate = true;
        return out;
    }
    const auto fitting = fitting_nodes(view, wanted);
    const auto can = [&](const api::Node* node) {
        return wanted.ready.contains(node->metadata.name) && view.room(*node);
    };
    const auto labelled = [&](const api::Node* node) {
        return std::all_of(wanted.labels.begin(), wanted.labels.end(),
                           [&](const std::string& label) { return node->metadata.labels.contains(label); });
    };
    if (const auto holder = std::find_if(fitting.begin(), fitting.end(), can); holder != fitting.end()) {
        const auto marked =
            std::find_if(holder, fitting.end(), [&](const api::Node* node) { return can(node) && labelled(node); });
        int64_t closed_ns = marked == fitting.end() ? kSoonNs : 0;
        for (const std::string& label : wanted.labels) closed_ns = std::max(closed_ns, view.closed_ns(label));
        if (closed_ns >= kMs) {  // the queue counts in milliseconds
            out.again_s = static_cast<uint64_t>((closed_ns + 1000 * kMs - 1) / (1000 * kMs));
            return out;
        }
        out.open_gate = true;
        out.required_labels = wanted.labels;
        out.node = (*marked)->metadata.name;
        out.says = DataReady{true, api::Reason::ready, fmt::format("on {}", names_of(wanted.ready)), false};
        return out;
    }
    if (std::none_of(fitting.begin(), fitting.end(), [&](const api::Node* node) { return view.room(*node); }))
        return let_go_without(wanted, !fitting.empty());
    out.again_s = kLookAgainS;  // room comes without a word
    const auto lacking = std::find_if(wanted.claims.begin(), wanted.claims.end(), [&](const PodClaim* one) {
        return std::none_of(one->held.begin(), one->held.end(), [&](const auto& held) {
            return is_held_ready(*held) && std::any_of(fitting.begin(), fitting.end(), [&](const api::Node* node) {
                       return node->metadata.name == held->spec.node && view.room(*node);
                   });
        });
    });
    say(view, why_not_ready(lacking == wanted.claims.end() ? *wanted.claims.front() : **lacking), out);
    return out;
}

PodDecision decide_placed_pod(const PodView& view) {
    PodDecision out;
    if (view.pod.spec.node_name.empty()) return out;
    const bool started = view.pod.status.phase != api::PodPhase::pending;  // it was there, whatever became of it since
    for (const PodClaim& one : view.claims) {
        const bool here =
            one.claim && one.dataset && std::any_of(one.held.begin(), one.held.end(), [&](const auto& held) {
                return is_held_ready(*held) && held->spec.node == view.pod.spec.node_name;
            });
        if (started || here) continue;
        say(view, why_not_ready(one, view.pod.spec.node_name), out);
        return out;
    }
    out.says = DataReady{true, api::Reason::ready, fmt::format("on {}", view.pod.spec.node_name), false};
    return out;
}

int64_t percent_every_ns(size_t waiting_pods) {
    return std::max<int64_t>(30, static_cast<int64_t>(waiting_pods / 10)) * 1'000'000'000;
}

}  // namespace zcdp::services::controller
