// The kinds of zcdp.io/v1alpha1 (docs/design.md section 7) as C++ types. manifests/crds/ holds the same as schemas,
// with what each field means to a user; a test compares the two field by field.
#pragma once

#include <string>
#include <vector>

#include "zcdp/api/meta.hpp"
#include "zcdp/base/ids.hpp"

namespace zcdp::api {

inline constexpr const char* kGroup = "zcdp.io";
inline constexpr const char* kVersion = "v1alpha1";
inline constexpr const char* kApiVersion = "zcdp.io/v1alpha1";

struct NameRef {
    std::string name;
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("name", self.name);
    }
    bool operator==(const NameRef&) const = default;
};

struct BackendLimits {
    std::string bytes_per_second;  ///< "2Gi": per node
    uint32_t connections = 0;      ///< per node; 0: zcdp's default
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("bytesPerSecond", self.bytes_per_second), field("connections", self.connections);
    }
    bool operator==(const BackendLimits&) const = default;
};

struct StorageBackendSpec {
    std::string type, endpoint, region, bucket;
    std::string account;  ///< azure: the storage account
    bool path_style = false;
    NameRef secret_ref;     ///< a Secret in zcdp's namespace
    std::string identity;   ///< "", WebIdentity, Instance, Anonymous
    std::string proxy;      ///< http://HOST:PORT that all requests go through
    NameRef ca_bundle_ref;  ///< a ConfigMap in zcdp's namespace, key ca.crt
    BackendLimits limits;
    std::vector<std::string> allowed_namespaces;  ///< none: nobody; ["*"]: all
    bool allow_cluster_endpoint = false;
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("type", self.type), field("endpoint", self.endpoint), field("region", self.region);
        field("bucket", self.bucket), field("account", self.account), field("pathStyle", self.path_style),
            field("secretRef", self.secret_ref);
        field("identity", self.identity), field("caBundleRef", self.ca_bundle_ref), field("proxy", self.proxy),
            field("limits", self.limits);
        field("allowedNamespaces", self.allowed_namespaces), field("allowClusterEndpoint", self.allow_cluster_endpoint);
    }
    bool operator==(const StorageBackendSpec&) const = default;
};

struct StorageBackendStatus {
    int64_t observed_generation = 0;
    std::string last_error;
    std::vector<Condition> conditions;  ///< Ready
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("observedGeneration", self.observed_generation), field("lastError", self.last_error);
        field("conditions", self.conditions);
    }
    bool operator==(const StorageBackendStatus&) const = default;
};

struct DatasetSource {
    std::string backend, prefix, version, uri;
    std::vector<std::string> include, exclude;
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("backend", self.backend), field("prefix", self.prefix), field("version", self.version);
        field("uri", self.uri), field("include", self.include), field("exclude", self.exclude);
    }
    bool operator==(const DatasetSource&) const = default;
};

struct DatasetPlacement {
    StringMap node_selector;
    IntOrString replicas;  ///< a number or a word of Replicas
    /// On how many nodes it should be before any pod asks: UINT64_MAX for all, 0 on demand and for what is no number.
    uint64_t replicas_wanted() const;
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("nodeSelector", self.node_selector), field("replicas", self.replicas);
    }
    bool operator==(const DatasetPlacement&) const = default;
};

struct DatasetRetention {
    bool pinned = false;
    std::string ttl;  ///< from the last unmount; "": kept until space is needed
    std::optional<uint32_t> keep_snapshots;
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("pinned", self.pinned), field("ttl", self.ttl), field("keepSnapshots", self.keep_snapshots);
    }
    bool operator==(const DatasetRetention&) const = default;
};

struct DatasetRefresh {
    std::string interval;
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("interval", self.interval);
    }
    bool operator==(const DatasetRefresh&) const = default;
};

struct DatasetTransfer {
    Word<PeerUse> peers;
    uint32_t origin_budget_percent = 0;  ///< what all nodes together may read of the origin; 0: 105
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("peers", self.peers), field("originBudgetPercent", self.origin_budget_percent);
    }
    bool operator==(const DatasetTransfer&) const = default;
};

struct DatasetSpec {
    DatasetSource source;
    DatasetPlacement placement;
    DatasetRetention retention;
    DatasetRefresh refresh;
    DatasetTransfer transfer;
    std::string snapshot;
    bool paused = false;
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("source", self.source), field("placement", self.placement), field("retention", self.retention);
        field("refresh", self.refresh), field("transfer", self.transfer), field("snapshot", self.snapshot);
        field("paused", self.paused);
    }
    bool operator==(const DatasetSpec&) const = default;
};

/// A revision that the origin had, where it was listed, and the snapshot it became. Whoever fetches it, ever, fetches
/// it from there.
struct DatasetVersion {
    Revision revision;
    std::string snapshot;
    uint64_t objects = 0, bytes = 0;
    std::string listed;           ///< when
    std::string source;           ///< "BACKEND/PREFIX" and the globs: tells two sources apart
    std::string backend, prefix;  ///< "" and "": written by a version that kept `source` alone
    std::vector<std::string> include, exclude;
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("revision", codec_text(self.revision)), field("snapshot", self.snapshot), field("objects", self.objects);
        field("bytes", self.bytes), field("listed", self.listed), field("source", self.source);
        field("backend", self.backend), field("prefix", self.prefix);
        field("include", self.include), field("exclude", self.exclude);
    }
    bool operator==(const DatasetVersion&) const = default;
};

struct DatasetStatus {
    int64_t observed_generation = 0;
    Word<Phase> phase;
    Revision revision;
    std::string snapshot;
    std::optional<uint64_t> objects, bytes;
    std::string size;   ///< bytes, for people
    std::string ready;  ///< "2/3": nodes ready and wanted
    uint32_t nodes_ready = 0, nodes_wanted = 0;
    uint64_t origin_bytes = 0, peer_bytes = 0, reused_bytes = 0;
    std::string progress;  ///< of the nodes that are syncing
    std::string last_listed;
    std::vector<DatasetVersion> history;  ///< newest first
    std::vector<Condition> conditions;    ///< Listed, Ready, Degraded
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("observedGeneration", self.observed_generation), field("phase", self.phase);
        field("revision", codec_text(self.revision)), field("snapshot", self.snapshot), field("objects", self.objects);
        field("bytes", self.bytes), field("size", self.size), field("ready", self.ready);
        field("nodesReady", self.nodes_ready), field("nodesWanted", self.nodes_wanted);
        field("originBytes", self.origin_bytes), field("peerBytes", self.peer_bytes);
        field("reusedBytes", self.reused_bytes), field("progress", self.progress);
        field("lastListed", self.last_listed), field("history", self.history), field("conditions", self.conditions);
    }
    bool operator==(const DatasetStatus&) const = default;
};

struct DatasetClaimSpec {
    std::string dataset;
    std::optional<LabelSelector> pod_selector;  ///< none: only pods that name the claim in a csi volume
    std::string mount_path;
    std::vector<std::string> containers;  ///< none: all, init containers too
    std::string sub_path;
    Word<ClaimPolicy> policy;
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("dataset", self.dataset), field("podSelector", self.pod_selector), field("mountPath", self.mount_path);
        field("containers", self.containers), field("subPath", self.sub_path), field("policy", self.policy);
    }
    bool operator==(const DatasetClaimSpec&) const = default;
};

struct DatasetClaimStatus {
    int64_t observed_generation = 0;
    Word<Phase> phase;
    uint32_t pods = 0;
    std::vector<std::string> nodes;     ///< where such pods run; at most 100
    std::vector<Condition> conditions;  ///< Bound, Ready
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("observedGeneration", self.observed_generation), field("phase", self.phase), field("pods", self.pods);
        field("nodes", self.nodes), field("conditions", self.conditions);
    }
    bool operator==(const DatasetClaimStatus&) const = default;
};

struct DatasetRef {
    std::string namespace_, name, uid;
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("namespace", self.namespace_), field("name", self.name), field("uid", self.uid);
    }
    bool operator==(const DatasetRef&) const = default;
};

/// What an agent needs to fetch a revision: fixed when the controller listed it.
struct NodeDatasetSource {
    std::string backend, prefix;
    std::vector<std::string> include, exclude;
    uint64_t objects = 0, bytes = 0;
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("backend", self.backend), field("prefix", self.prefix), field("include", self.include);
        field("exclude", self.exclude), field("objects", self.objects), field("bytes", self.bytes);
    }
    bool operator==(const NodeDatasetSource&) const = default;
};

struct NodeDatasetSpec {
    std::string node;
    DatasetRef dataset;
    Revision revision;
    NodeDatasetSource source;
    DatasetTransfer transfer;
    bool pinned = false;
    Word<Wanted> wanted;
    uint32_t progress_seconds = 0;  ///< how often the agent writes progress; 0: 5
    uint32_t fetching_nodes = 0;    ///< so many were told at once to fetch it
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("node", self.node), field("dataset", self.dataset), field("revision", codec_text(self.revision));
        field("source", self.source), field("transfer", self.transfer), field("pinned", self.pinned);
        field("wanted", self.wanted), field("progressSeconds", self.progress_seconds);
        field("fetchingNodes", self.fetching_nodes);
    }
    bool operator==(const NodeDatasetSpec&) const = default;
};

struct PodRef {
    std::string namespace_, name, uid;
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("namespace", self.namespace_), field("name", self.name), field("uid", self.uid);
    }
    bool operator==(const PodRef&) const = default;
};

struct LastError {
    Word<Reason> reason;
    std::string message, object, time;
    uint32_t attempts = 0;
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("reason", self.reason), field("message", self.message), field("object", self.object);
        field("time", self.time), field("attempts", self.attempts);
    }
    bool operator==(const LastError&) const = default;
};

/// A node that another gets nothing of, or little.
struct PeerTrouble {
    std::string node;
    std::string reason;  ///< "unreachable", "slow", or why it is banned: "wrong_bytes", "too_slow", "false_claim"
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("node", self.node), field("reason", self.reason);
    }
    bool operator==(const PeerTrouble&) const = default;
};

/// How a node gets a dataset with others, or got it last. Of pieces: how many were drawn of the origin as their owner,
/// in another owner's place, again after they were lost, and to be compared.
struct NodePeers {
    uint32_t neighbours = 0;
    std::vector<PeerTrouble> troubled;
    uint64_t pieces = 0, owned = 0, taken_over = 0, drawn_again = 0, compared = 0, over_budget = 0;
    std::vector<std::string> late_owners;  ///< whose pieces were taken over
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("neighbours", self.neighbours), field("troubled", self.troubled), field("pieces", self.pieces);
        field("owned", self.owned), field("takenOver", self.taken_over), field("drawnAgain", self.drawn_again);
        field("compared", self.compared), field("overBudget", self.over_budget);
        field("lateOwners", self.late_owners);
    }
    bool operator==(const NodePeers&) const = default;
};

struct NodeDatasetStatus {
    int64_t observed_generation = 0;
    Word<Phase> phase;
    std::string snapshot;
    uint64_t bytes_done = 0, bytes_total = 0;
    std::string progress;  ///< "42%"
    uint64_t bytes_per_second = 0, eta_seconds = 0;
    uint64_t origin_bytes = 0, peer_bytes = 0, reused_bytes = 0, size_bytes = 0;
    std::string started, finished, last_use;
    std::string peer_address;  ///< "10.0.0.7:7443": where this node gives the dataset to others; "": it does not
    NodePeers peers;
    std::vector<PodRef> pods;
    uint32_t pod_count = 0;  ///< of `pods`, for a column
    std::optional<LastError> last_error;
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("observedGeneration", self.observed_generation), field("phase", self.phase);
        field("snapshot", self.snapshot), field("bytesDone", self.bytes_done), field("bytesTotal", self.bytes_total);
        field("progress", self.progress), field("bytesPerSecond", self.bytes_per_second);
        field("etaSeconds", self.eta_seconds), field("originBytes", self.origin_bytes);
        field("peerBytes", self.peer_bytes), field("reusedBytes", self.reused_bytes);
        field("sizeBytes", self.size_bytes), field("started", self.started), field("finished", self.finished);
        field("lastUse", self.last_use), field("peerAddress", self.peer_address), field("peers", self.peers);
        field("pods", self.pods);
        field("podCount", self.pod_count), field("lastError", self.last_error);
    }
    bool operator==(const NodeDatasetStatus&) const = default;
};

/// One object of a kind; the root adds apiVersion and kind when it is written (see object_json).
template <class Spec, class Status>
struct Object {
    ObjectMeta metadata;
    Spec spec;
    Status status;
    template <class Self, class F>
    static void fields(Self& self, F&& field) {
        field("metadata", self.metadata), field("spec", self.spec), field("status", self.status);
    }
    bool operator==(const Object&) const = default;
};

struct StorageBackend : Object<StorageBackendSpec, StorageBackendStatus> {
    static constexpr const char* kind = "StorageBackend";
};
struct Dataset : Object<DatasetSpec, DatasetStatus> {
    static constexpr const char* kind = "Dataset";
};
struct DatasetClaim : Object<DatasetClaimSpec, DatasetClaimStatus> {
    static constexpr const char* kind = "DatasetClaim";
};
struct NodeDataset : Object<NodeDatasetSpec, NodeDatasetStatus> {
    static constexpr const char* kind = "NodeDataset";
};

/// The object as the API server takes it: with apiVersion and kind.
template <class T>
json::object object_json(const T& object) {
    json::object out = to_json(object).as_object();
    out["apiVersion"] = kApiVersion;
    out["kind"] = T::kind;
    return out;
}

// Instantiated once, in src/api/codec.cpp, and not in every file that reads or writes one.
extern template Result<StorageBackend> from_json<StorageBackend>(const json::value&);
extern template json::value to_json<StorageBackend>(const StorageBackend&);
extern template Result<Dataset> from_json<Dataset>(const json::value&);
extern template json::value to_json<Dataset>(const Dataset&);
extern template Result<DatasetClaim> from_json<DatasetClaim>(const json::value&);
extern template json::value to_json<DatasetClaim>(const DatasetClaim&);
extern template Result<NodeDataset> from_json<NodeDataset>(const json::value&);
extern template json::value to_json<NodeDataset>(const NodeDataset&);
extern template json::value to_json<StorageBackendStatus>(const StorageBackendStatus&);
extern template json::value to_json<DatasetStatus>(const DatasetStatus&);
extern template json::value to_json<DatasetClaimStatus>(const DatasetClaimStatus&);
extern template json::value to_json<NodeDatasetStatus>(const NodeDatasetStatus&);

}  // namespace zcdp::api
