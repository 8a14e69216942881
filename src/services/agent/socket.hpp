// The agent's unix socket: `zcdp sync` and `zcdp store` of this node go through the agent, so that the store keeps one
// writer. HTTP with JSON; root and the agent's own group may ask (SO_PEERCRED).
//
//   POST /v1/sync          {"source", "endpoint", …}: progress as one JSON object a line, the last one is the result;
//                          members that are not known are passed over
//   POST /v2/sync          the same, and such members are refused; with "hold" the snapshot then stays until the
//                          connection ends
//   GET  /v1/snapshots     the store's snapshots
//   POST /v1/snapshots/ID/pin|unpin|evict
//   POST /v1/gc?grace_s=N&unfinished_grace_s=N
//   POST /v1/verify?id=ID  (an empty ID is everything)
#pragma once

#include <memory>
#include <string>

#include "zcdp/net/control.hpp"
#include "zcdp/origin/options.hpp"
#include "zcdp/store/snapshots.hpp"
#include "zcdp/store/upkeep.hpp"

namespace zcdp::store {
class Store;
}

namespace zcdp::services::agent {

struct SocketParts {
    store::Store& store;  ///< for syncs
    store::Snapshots& snapshots;
    store::Upkeep& upkeep;
    Machine machine;
    Logger& log;
};

Result<std::unique_ptr<net::server::ControlServer>> open_agent_socket(const std::string& path, SocketParts parts);

}  // namespace zcdp::services::agent
