// What a NodeDataset's status says of other nodes, as a line for people. Pure.
#pragma once

#include <string>

#include "zcdp/api/types.hpp"

namespace zcdp::services {

/// "node-a had 7 neighbours; of 40 pieces it read from the origin 12 as their owner, ..."; "" when it had none.
std::string peers_text(const std::string& node, const api::NodePeers& peers);

}  // namespace zcdp::services
