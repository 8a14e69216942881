// What types.hpp and core.hpp say is instantiated once.
#include "zcdp/api/codec.hpp"

#include "zcdp/api/core.hpp"
#include "zcdp/api/types.hpp"

namespace zcdp::api {

template Result<StorageBackend> from_json<StorageBackend>(const json::value&);
template json::value to_json<StorageBackend>(const StorageBackend&);
template Result<Dataset> from_json<Dataset>(const json::value&);
template json::value to_json<Dataset>(const Dataset&);
template Result<DatasetClaim> from_json<DatasetClaim>(const json::value&);
template json::value to_json<DatasetClaim>(const DatasetClaim&);
template Result<NodeDataset> from_json<NodeDataset>(const json::value&);
template json::value to_json<NodeDataset>(const NodeDataset&);
template json::value to_json<StorageBackendStatus>(const StorageBackendStatus&);
template json::value to_json<DatasetStatus>(const DatasetStatus&);
template json::value to_json<DatasetClaimStatus>(const DatasetClaimStatus&);
template json::value to_json<NodeDatasetStatus>(const NodeDatasetStatus&);
template Result<Pod> from_json<Pod>(const json::value&);
template json::value to_json<Pod>(const Pod&);
template Result<Node> from_json<Node>(const json::value&);
template json::value to_json<Node>(const Node&);

}  // namespace zcdp::api
