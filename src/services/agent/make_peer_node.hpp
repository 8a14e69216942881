// A PeerNode of what the agent was told and has: who it is to controllers, and its store.
// Thread rule: any thread. Ownership: all that is given outlives it.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "src/services/agent/peer_node.hpp"
#include "src/services/peers/controller_access.hpp"
#include "zcdp/services/agent.hpp"
#include "zcdp/store/store.hpp"

namespace zcdp::services::agent {

/// Null where there are to be no peers, or this node does not know where others would find it: the log says so.
std::unique_ptr<PeerNode> make_peer_node(const AgentOptions& options, const peers::ControllerAccess& controller,
                                         store::Store& store, Machine machine,
                                         std::function<void(const std::string& name)> changed);

}  // namespace zcdp::services::agent
