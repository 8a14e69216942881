// Keeps this node's NodeDatasets true: fetches what is wanted, evicts what is not, says in their status how far it is.
//
// decide_node_dataset() is pure: it looks at the object, the transfer and the users, and says what to do next;
// NodeState does it. Thread rule: NodeState belongs to one thread, which calls reconcile().
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "src/services/agent/peer_node.hpp"
#include "src/services/agent/transfers.hpp"
#include "src/services/agent/volumes.hpp"
#include "zcdp/kube/events.hpp"
#include "zcdp/kube/work_queue.hpp"
#include "zcdp/store/snapshots.hpp"
#include "zcdp/store/upkeep.hpp"

namespace zcdp::services::agent {

/// What is known here about one NodeDataset.
struct NodeDatasetView {
    const api::NodeDataset& object;
    std::optional<TransferView> transfer;
    std::vector<api::PodRef> pods;   ///< that use its dataset here
    bool in_store = false;           ///< status.snapshot is Ready in the store
    bool evicted_for_space = false;  ///< it was Ready, and the store let it go to make room
    int64_t now_unix_s = 0;
    std::string peer_address = {};  ///< where it is given to other nodes
};

struct NodeDatasetDecision {
    enum class Action { none, ensure, adopt, evict, forget } action = Action::none;
    api::Phase phase{};    ///< what the status should say
    bool release = false;  ///< nothing is left here: take the finalizer off
};
NodeDatasetDecision decide_node_dataset(const NodeDatasetView& view);

/// The status that follows from the same view. `phase` is the decision's.
api::NodeDatasetStatus node_dataset_status(const NodeDatasetView& view, api::Phase phase);

class NodeState {
  public:
    struct Parts {
        kube::Api& api;
        store::Snapshots& snapshots;
        store::Upkeep& upkeep;
        Transfers& transfers;
        Volumes& volumes;
        kube::Cache<api::NodeDataset>& node_datasets;
        kube::EventRecorder& events;
        kube::WorkQueue& queue;
        const Clock& clock;
        Metrics& metrics;
        Logger& log;
        PeerNode* peers = nullptr;  ///< null: nothing is given to other nodes
    };
    explicit NodeState(Parts parts) : parts_(parts) {}
    /// Looks at one; the milliseconds after which it wants to be looked at again. Errors: those of the API (tried
    /// again).
    kube::ApiResult<std::optional<uint64_t>> reconcile(const std::string& name);

  private:
    std::string forget(const std::string& name);
    kube::ApiResult<> evict(const api::NodeDataset& object, NodeDatasetDecision& decision);
    void leave_nothing();
    kube::ApiResult<> write_status(const api::NodeDataset& object, api::NodeDatasetStatus status);
    void announce(const api::NodeDataset& object, const api::NodeDatasetStatus& status);
    bool shared(const api::NodeDataset& object, const std::string& snapshot) const;
    Parts parts_;
};

}  // namespace zcdp::services::agent
