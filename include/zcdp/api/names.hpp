// Names that several parts must agree on (docs/design.md section 7). Object names and label keys carry hashes, never a
// user's text, so that every name that Kubernetes allows works. Pure.
#pragma once

#include <string>
#include <string_view>

#include "zcdp/api/types.hpp"

namespace zcdp::api {

inline constexpr const char* kDriver = "zcdp.io";
inline constexpr const char* kSystemNamespace = "zcdp-system";
inline constexpr const char* kGate = "zcdp.io/data";
inline constexpr const char* kClaimsAnnotation = "zcdp.io/claims";
/// Claims that select the pod and name containers that it has not
inline constexpr const char* kPassedOverAnnotation = "zcdp.io/passed-over";
/// Of a pod that waits, or waited, for its data
inline constexpr const char* kDataReadyCondition = "zcdp.io/DataReady";
inline constexpr const char* kPrefetchAnnotation = "zcdp.io/prefetch";
inline constexpr const char* kClaimAttribute = "claim";
/// Of a volume: other mounts below it, as the webhook saw them
inline constexpr const char* kBelowAttribute = "below";
inline constexpr const char* kNodeLabel = "zcdp.io/node";
inline constexpr const char* kInUseFinalizer = "zcdp.io/in-use";
inline constexpr const char* kNodeDataFinalizer = "zcdp.io/node-data";
inline constexpr const char* kNotReadyTaint = "zcdp.io/agent-not-ready";
inline constexpr const char* kDataLabelPrefix = "d.zcdp.io/";

/// nd- and 32 hex of SHA-256(node \0 dataset uid \0 revision).
std::string node_dataset_name(std::string_view node, std::string_view dataset_uid, const Revision& revision);
/// 16 hex of SHA-256(node): the value of the label zcdp.io/node.
std::string node_label_value(std::string_view node);
/// d.zcdp.io/ and 16 hex of SHA-256(dataset uid): on nodes, with the value "ready".
std::string data_label(std::string_view dataset_uid);
/// zcdp- and 10 hex of SHA-256(claim): the name of an injected volume.
std::string volume_name(std::string_view claim);

/// The reason of a condition for an error's kind (design.md section 7): KeyRefused, NotFound, AccessDenied, NoSpace,
/// SourceChanged, OriginUnreachable, SnapshotMismatch; Failed for what has none.
Word<Reason> reason_of(ErrorKind kind);

}  // namespace zcdp::api
