// What is worked out on the way to a decision about a Dataset, and its steps, in their order: what the origin has
// (dataset_listing.cpp), which revision is meant (decide_dataset.cpp), who wants it where (dataset_demand.cpp), what
// each node is told (dataset_orders.cpp), and what people are told (dataset_status.cpp). Pure.
#pragma once

#include <algorithm>
#include <map>
#include <set>

#include "src/services/controller/decide/decide_dataset.hpp"

namespace zcdp::services::controller {

struct Draft {
    const DatasetView& view;
    DatasetDecision out;
    std::map<std::string, std::shared_ptr<const api::Node>> nodes;
    std::set<std::string> demand;      ///< nodes that should hold it
    std::set<std::string> pod_demand;  ///< of them, those that pods need
    std::set<std::string> may_bind;    ///< nodes that have it, and that the scheduler may choose for a pod that waits
    Revision current, target;
    api::Word<api::Reason> withheld_reason;
    std::string withheld;  ///< why nodes that want a revision get no order for it

    const api::DatasetStatus& before() const { return view.dataset.status; }
    api::DatasetStatus& status() { return out.status; }
    const api::Node* node(const std::string& name) const {
        const auto at = nodes.find(name);
        return at == nodes.end() ? nullptr : at->second.get();
    }
    bool gone(const std::string& name) const { return node_is_gone(node(name), view.now_unix_s); }
    void again_in(uint64_t seconds) { out.again_s = std::min(out.again_s.value_or(seconds), seconds); }
    void condition(const char* type, api::Word<api::ConditionStatus> value, api::Word<api::Reason> reason,
                   std::string message) {
        api::set_condition(
            status().conditions,
            {type, std::move(value), view.dataset.metadata.generation, "", std::move(reason), std::move(message)},
            iso8601(view.now_unix_s));
    }
};

bool is_ready(const api::NodeDataset& held);
/// The object of this node and revision; null when there is none.
std::shared_ptr<const api::NodeDataset> find_held(const Draft& draft, const std::string& node,
                                                  const Revision& revision);

/// Whether the origin should be listed now, and what the Listed condition says.
void decide_listing(Draft& draft);
/// Fills `demand` and `pod_demand`.
void decide_demand(Draft& draft);
/// What is made, called back, let go and taken away.
void decide_orders(Draft& draft);

/// First of all: what is found anew each time is forgotten.
void clear_reported(Draft& draft);
/// The snapshot of each revision; two of one revision are an error that names the nodes.
void match_snapshots(Draft& draft);
/// Phase, numbers and conditions; last of all.
void describe(Draft& draft);

}  // namespace zcdp::services::controller
