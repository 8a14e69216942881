// What a sync needs to get a dataset from other nodes, and to give it to them while it comes.
// Thread rule: the functions from any thread; what they make belongs to the loop it was made for. Ownership: outlives
// the syncs that use it.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "zcdp/net/http.hpp"
#include "zcdp/swarm/identity.hpp"
#include "zcdp/swarm/session.hpp"

namespace zcdp::swarm {
class PeerServer;
}

namespace zcdp::sync {

struct Peers {
    std::string dataset;              ///< with a revision it names a swarm: equal for all who sync the same
    std::string self, address, zone;  ///< as others are told
    std::string scheme = "http";
    uint64_t settle_ms = 0;       ///< wait so long for others before anything is drawn from the origin
    uint32_t settle_getters = 0;  ///< or until so many get it, this node among them; 0: not known
    swarm::PeerServer& server;
    swarm::Bans& bans;
    swarm::IdentityNow identity;  ///< never null: who has none has no peers
    std::function<std::unique_ptr<net::HttpClient>(asio::any_io_executor)> http;
    std::function<std::unique_ptr<swarm::Introductions>(asio::any_io_executor)> introductions;
    uint32_t compare_one_in = 100;       ///< as swarm::SessionOptions has it
    swarm::ChooserOptions chooser = {};  ///< with the budget of the origin
};

/// What a swarm is called among its members and in a PeerServer: 32 hex digits.
std::string swarm_name(const std::string& dataset, const Revision& revision);

}  // namespace zcdp::sync
