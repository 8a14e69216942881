// The smaller decisions: what a claim's status says, which labels a node carries, how a pod's gate goes. Pure.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "src/services/controller/world.hpp"

namespace zcdp::services::controller {

struct ClaimView {
    const api::DatasetClaim& claim;
    std::shared_ptr<const api::Dataset> dataset;  ///< null: there is none of this name
    Objects<api::Pod> pods;                       ///< that use it and have not ended
    Objects<api::Pod> missed;                     ///< that match its selector and do not use it
    Objects<api::Pod> passed_over;                ///< that match it, and have none of the containers that it names
    int64_t now_unix_s = 0;
};
struct ClaimDecision {
    api::DatasetClaimStatus status;
    bool add_finalizer = false, remove_finalizer = false;
};
ClaimDecision decide_claim(const ClaimView& view);
/// Whether the claim selects this pod, which was made after it (or in the same second: times have no finer parts) and
/// has not its data.
bool is_missed(const api::Pod& pod, const api::DatasetClaim& claim);

/// The labels d.zcdp.io/… that a node should carry: of the datasets whose present revision is Ready there.
std::map<std::string, std::string> data_labels(const Objects<api::NodeDataset>& held,
                                               const kube::Cache<api::Dataset>& datasets);
/// The merge patch that makes a node's labels so, and takes the startup taint off once the driver is registered;
/// nullopt when nothing is to be done.
std::optional<kube::json::object> node_patch(const api::Node& node, const std::map<std::string, std::string>& wanted,
                                             bool driver_registered);

/// The JSON patch for a pod as the API server has it: our gate goes, others stay; the labels are asked for in every
/// required term, or wished for. Guarded by the pod's resourceVersion.
kube::json::array open_gate_patch(const kube::json::object& pod, const std::vector<std::string>& required_labels,
                                  const std::vector<std::string>& preferred_labels = {});

/// Adds "LABEL In [ready]" to every required node affinity term of `affinity` (made if there is none), once.
void require_label(kube::json::object& affinity, const std::string& label, const std::string& value = "ready");
/// Adds a preferred term of this weight for "LABEL In [ready]", or gives the one that is there the weight.
void prefer_label(kube::json::object& affinity, const std::string& label, int64_t weight);

}  // namespace zcdp::services::controller
