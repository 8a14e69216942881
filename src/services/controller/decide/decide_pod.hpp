// When a pod's gate goes, what its affinity asks for then, and what the pod says while it waits. Pure.
//
// The gate goes when all data that is waited for is on one node that may take the pod, has room for it and carries the
// labels, and when it is the gates' turn (label_turns.hpp). It also goes when no node at all could take the pod: an
// autoscaler sees only pods without gates and makes nodes without our labels, so nothing is asked for then, and the
// data is a wish.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "src/services/controller/world.hpp"

namespace zcdp::services::controller {

/// One claim of a pod, with what it stands for.
struct PodClaim {
    std::string name;
    std::shared_ptr<const api::DatasetClaim> claim;  ///< null: there is none of this name
    std::shared_ptr<const api::Dataset> dataset;     ///< null: there is none
    Objects<api::NodeDataset> held;                  ///< of the dataset's present revision
};

struct PodView {
    const api::Pod& pod;
    std::vector<PodClaim> claims;
    Objects<api::Node> nodes;                                    ///< all
    std::function<bool(const api::Node& node)> room;             ///< for this pod
    std::function<int64_t(const std::string& label)> closed_ns;  ///< LabelTurns
    int64_t now_unix_s = 0;
};

/// The condition zcdp.io/DataReady, and the event beside it.
struct DataReady {
    bool ready = false;
    api::Word<api::Reason> reason;
    std::string message;
    bool wrong = false;  ///< somebody has to do something
};

struct PodDecision {
    bool open_gate = false;
    std::vector<std::string> required_labels;   ///< that a node must have
    std::vector<std::string> preferred_labels;  ///< that it had better have
    std::string node;                           ///< whose room is counted on; "" none
    std::optional<DataReady> says;              ///< nullopt: what it says already
    std::optional<uint64_t> again_s;
};

/// Of a pod that has our gate.
PodDecision decide_pod(const PodView& view);

/// Of a pod without our gate: on its node and not running yet, or one that said that it has no data. Opens nothing.
PodDecision decide_placed_pod(const PodView& view);

/// What is the matter with the data of one claim for a pod that cannot start: the reason is one of docs/operations.md.
DataReady why_not_ready(const PodClaim& claim, const std::string& only_on_node = {});

/// How often a pod's percent is written: the more pods wait, the more seldom.
int64_t percent_every_ns(size_t waiting_pods);

}  // namespace zcdp::services::controller
