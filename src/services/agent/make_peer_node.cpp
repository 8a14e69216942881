#include "src/services/agent/make_peer_node.hpp"

#include <utility>

#include "src/services/peers/introductions.hpp"
#include "src/services/peers/node_identity.hpp"
#include "zcdp/api/dataset_key.hpp"
#include "zcdp/sync/held_snapshot.hpp"

namespace zcdp::services::agent {
namespace {

/// Who this node is to others.
std::function<Result<PeerNode::Identity>()> identity_of(std::shared_ptr<peers::NodeIdentity> held) {
    return [held = std::move(held)]() -> Result<PeerNode::Identity> {
        ZCDP_CHECK(held->refresh());
        return held->current();
    };
}

}  // namespace

std::unique_ptr<PeerNode> make_peer_node(const AgentOptions& options, const peers::ControllerAccess& controller,
                                         store::Store& store, Machine machine,
                                         std::function<void(const std::string& name)> changed) {
    if (options.peer_listen.empty() || options.peer_listen == "none") return nullptr;
    if (options.peer_address.empty()) {
        machine.log.warn("no other nodes are asked or served: this one's address is not known",
                         {{"hint", "give --peer-address, or POD_IP from status.podIP"}});
        return nullptr;
    }
    const auto held = std::make_shared<peers::NodeIdentity>(controller, options.node, machine);
    peers::ControllerAccess asking = controller;
    // On a sync's loop, which must not wait for the API server.
    asking.ca_pem = [held] {
        const auto now = held->current();
        return now ? now->ca_pem : std::string();
    };
    PeerNode::Parts parts{.machine = machine,
                          .identity = identity_of(held),
                          .introductions =
                              [asking, machine](asio::any_io_executor executor, const api::NodeDataset& wanted) {
                                  return peers::make_introductions(executor, asking,
                                                                   api::dataset_key(wanted.spec.dataset),
                                                                   wanted.spec.revision, machine);
                              },
                          .share_of =
                              [&store, machine](const std::string& snapshot) {
                                  return sync::share_of_snapshot(store, snapshot, machine.fs, machine.random);
                              },
                          .changed = std::move(changed)};
    return std::make_unique<PeerNode>(
        PeerNodeOptions{options.node, options.peer_listen, options.peer_address, options.peer_slots,
                        options.peer_bytes_per_second, !options.peer_plain},
        std::move(parts));
}

}  // namespace zcdp::services::agent
