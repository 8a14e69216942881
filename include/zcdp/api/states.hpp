// The states of docs/design.md section 7: what phases, orders, policies, conditions and their reasons can be. How each
// is spelt stands here and nowhere else (word.hpp says what becomes of words that are not here).
#pragma once

#include <cstdint>

#include "zcdp/api/word.hpp"

namespace zcdp::api {

/// Of a Dataset, a DatasetClaim and a NodeDataset; only the last is ever evicted.
enum class Phase : uint8_t { none, pending, syncing, ready, evicting, evicted, failed, other };
template <>
struct Spelling<Phase> {
    static constexpr std::string_view words[] = {"", "Pending", "Syncing", "Ready", "Evicting", "Evicted", "Failed"};
};

/// Of a Pod, by Kubernetes.
enum class PodPhase : uint8_t { none, pending, running, succeeded, failed, unknown, other };
template <>
struct Spelling<PodPhase> {
    static constexpr std::string_view words[] = {"", "Pending", "Running", "Succeeded", "Failed", "Unknown"};
};

/// What the controller wants of a node's agent.
enum class Wanted : uint8_t { none, ensure, evict, other };
template <>
struct Spelling<Wanted> {
    static constexpr std::string_view words[] = {"", "Ensure", "Evict"};
};

/// Whether nodes give a dataset to each other; none is prefer.
enum class PeerUse : uint8_t { none, prefer, never, other };
template <>
struct Spelling<PeerUse> {
    static constexpr std::string_view words[] = {"", "Prefer", "Never"};
};

/// How a claim's pods are placed; none is prefer.
enum class ClaimPolicy : uint8_t { none, prefer, require, wait_for_data, ignore, other };
template <>
struct Spelling<ClaimPolicy> {
    static constexpr std::string_view words[] = {"", "Prefer", "Require", "WaitForData", "Ignore"};
};

/// placement.replicas where it is no number; none is on_demand.
enum class Replicas : uint8_t { none, all, on_demand, other };
template <>
struct Spelling<Replicas> {
    static constexpr std::string_view words[] = {"", "All", "OnDemand"};
};

/// metav1.ConditionStatus.
enum class ConditionStatus : uint8_t { none, yes, no, unknown, other };
template <>
struct Spelling<ConditionStatus> {
    static constexpr std::string_view words[] = {"", "True", "False", "Unknown"};
};

/// Why a condition is as it is; docs/operations.md says what each asks a person to do. The first block are those of
/// errors, see reason_of() in names.hpp.
enum class Reason : uint8_t {
    none,
    key_refused,
    not_found,
    access_denied,
    no_space,
    source_changed,
    origin_unreachable,
    snapshot_mismatch,
    invalid_spec,
    failed,

    snapshot_unknown,
    namespace_not_allowed,
    backend_not_found,
    dataset_not_found,
    claim_not_found,
    deleting,
    looking,
    listing,
    listed,
    not_used,
    no_demand,
    paused,
    placing,
    elsewhere,
    no_room,
    no_node,
    syncing,
    ready,
    fine,
    bound,
    pods_missed,
    pods_passed_over,

    unschedulable,  ///< Kubernetes' own, of PodScheduled
    other,
};
template <>
struct Spelling<Reason> {
    static constexpr std::string_view words[] = {"",
                                                 "KeyRefused",
                                                 "NotFound",
                                                 "AccessDenied",
                                                 "NoSpace",
                                                 "SourceChanged",
                                                 "OriginUnreachable",
                                                 "SnapshotMismatch",
                                                 "InvalidSpec",
                                                 "Failed",
                                                 "SnapshotUnknown",
                                                 "NamespaceNotAllowed",
                                                 "BackendNotFound",
                                                 "DatasetNotFound",
                                                 "ClaimNotFound",
                                                 "Deleting",
                                                 "Looking",
                                                 "Listing",
                                                 "Listed",
                                                 "NotUsed",
                                                 "NoDemand",
                                                 "Paused",
                                                 "Placing",
                                                 "Elsewhere",
                                                 "NoRoom",
                                                 "NoNode",
                                                 "Syncing",
                                                 "Ready",
                                                 "Fine",
                                                 "Bound",
                                                 "PodsMissed",
                                                 "PodsPassedOver",
                                                 "Unschedulable"};
};

}  // namespace zcdp::api
