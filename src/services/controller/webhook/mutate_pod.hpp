// What the webhook does to a pod: the volume, the mounts, the affinity, the gate. Pure, idempotent, and safe to be
// called again by the API server after other webhooks.
#pragma once

#include <string>
#include <vector>

#include "src/services/controller/world.hpp"

namespace zcdp::services::controller {

/// A claim that the pod's labels select, or that one of its volumes names.
struct PodClaimInput {
    std::shared_ptr<const api::DatasetClaim> claim;
    std::shared_ptr<const api::Dataset> dataset;  ///< null: not there yet
};

/// The claims of the pod's namespace that concern it, in order of their names.
std::vector<std::shared_ptr<const api::DatasetClaim>> claims_for(const kube::json::object& pod,
                                                                 const Objects<api::DatasetClaim>& claims);

/// Changes the pod in place; gives what whoever makes it should know (the API server shows it as warnings). A claim
/// that only selects the pod, and names containers of which it has none, is passed over: an annotation says so, and the
/// pod is made without it. Errors: refused: a mount path clash, a csi volume with readOnly: false, naming both sides
/// and what to change.
Result<std::vector<std::string>> mutate_pod(kube::json::object& pod, const std::vector<PodClaimInput>& claims);

/// The JSON patch from `before` to `after` at the places that mutate_pod touches.
kube::json::array pod_patch(const kube::json::object& before, const kube::json::object& after);

}  // namespace zcdp::services::controller
