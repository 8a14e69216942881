// What the controller's /metrics says of each Dataset, from what its caches hold at that moment.
//
// Thread rule: any thread; reads the caches and nothing else.
#pragma once

#include <string>

#include "src/services/controller/world.hpp"

namespace zcdp::services::controller {

/// So many Datasets have series of their own, the first by namespace and name; how many more there are is one gauge.
/// Seven series each, whatever the number of nodes, pods and revisions: 7,000 at most.
inline constexpr size_t kDatasetSeriesMost = 1'000;

/// Gauges with the labels namespace, dataset and backend, and zcdp_unreadable_objects by kind, in Prometheus' text
/// format 0.0.4. Bytes are in bytes.
std::string dataset_metrics(const World& world, size_t most = kDatasetSeriesMost);

}  // namespace zcdp::services::controller
