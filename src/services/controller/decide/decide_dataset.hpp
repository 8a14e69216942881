// What to do about one Dataset: which nodes hold which revision of it, and what its status says. Pure: the same view
// gives the same decision, so it may be made again after any crash (docs/design.md section 7).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "src/services/controller/world.hpp"

namespace zcdp::services::controller {

/// What the last listing of the origin gave.
struct ListingOutcome {
    std::string source;  ///< source_key() of what was listed
    bool running = false;
    int64_t ended_unix_s = 0;  ///< 0: none has ended yet
    std::optional<Error> error;
    Revision revision;
    uint64_t objects = 0, bytes = 0;
};

/// Where data is, or why it cannot be had.
struct ResolvedSource {
    std::shared_ptr<const api::StorageBackend> backend;  ///< null: see reason and message
    std::string prefix;
    api::Word<api::Reason> reason;
    std::string message;
    std::vector<std::string> include, exclude;
};
/// What the Dataset's spec names now: what is listed next. (What a revision was listed from: revision_source.hpp.)
ResolvedSource resolve_source(const api::Dataset& dataset, const Objects<api::StorageBackend>& backends);
/// Changes whenever a listing made before is no longer one of this.
std::string source_key(const ResolvedSource& source);

/// How far a node is with everything that a pod claims.
struct PodHolding {
    uint32_t held = 0;  ///< datasets that are there or on their way
    bool all_ready = false;
    int64_t since_unix_s = 0;  ///< all_ready: since when
};

struct DatasetView {
    const api::Dataset& dataset;
    ResolvedSource source;
    Objects<api::DatasetClaim> claims;  ///< that name it
    Objects<api::Pod> pods;             ///< that use one of these claims and have not ended
    Objects<api::Node> nodes;           ///< all
    Objects<api::NodeDataset> held;     ///< of this dataset's uid
    ListingOutcome listing;
    std::function<uint64_t(const std::string& node)> load;  ///< how much a node holds already: fewer is better
    /// Whether kubelet knows the driver there; others are the last choice
    std::function<bool(const std::string& node)> has_agent;
    std::function<PodHolding(const api::Pod& pod, const std::string& node)> holding;
    std::function<bool(const api::Pod& pod, const api::Node& node)> room;  ///< the node has room for the pod
    int64_t now_unix_s = 0;
    Objects<api::StorageBackend> backends = {};  ///< all
};

/// An object, and from where it is to get its data, which is not what it was told.
struct Redirection {
    std::shared_ptr<const api::NodeDataset> object;
    api::NodeDatasetSource source;
    api::DatasetTransfer transfer;
};

struct DatasetDecision {
    api::DatasetStatus status;
    bool list = false;  ///< a listing should start
    std::vector<api::NodeDataset> create;
    Objects<api::NodeDataset> ensure, evict;  ///< to be switched to that `wanted`
    std::vector<Redirection> redirect;
    Objects<api::NodeDataset> remove;   ///< to be deleted
    Objects<api::NodeDataset> release;  ///< the node is gone: nobody else takes the finalizer off
    bool add_finalizer = false, remove_finalizer = false;
    std::optional<uint64_t> again_s;  ///< look again then, also if nothing changes
};
DatasetDecision decide_dataset(const DatasetView& view);

inline constexpr int64_t kNodeGoneAfterS = 300;
/// A node is gone when its object is, or when it has not been Ready for that long.
bool node_is_gone(const api::Node* node, int64_t now_unix_s);

}  // namespace zcdp::services::controller
