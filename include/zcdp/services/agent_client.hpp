// Commands of a node whose store an agent owns: they go through the agent's unix socket.
// Thread rule: one thread; calls block.
#pragma once

#include <functional>
#include <optional>
#include <stop_token>
#include <string>

#include "zcdp/base/error.hpp"
#include "zcdp/base/fs.hpp"
#include "zcdp/origin/options.hpp"
#include "zcdp/sync/sync.hpp"

namespace zcdp::services {

/// The socket of the agent that holds the store's lock; nullopt when no agent does.
std::optional<std::string> agent_socket(const std::string& store_root, Fs& fs);

/// POST `target`; the answer's body. Errors: as the agent said; unreachable: nobody answers.
Result<std::string> ask_agent(const std::string& socket, const std::string& target, const std::string& body);

/// A sync by the agent into its store. `progress` follows; `stop` ends it. The origin's credentials are those of
/// `origin` if it has any, else the agent's own.
Result<sync::SyncReport> sync_by_agent(const std::string& socket, const sync::SyncOptions& options,
                                       const origin::OriginOptions& origin, sync::Progress& progress,
                                       std::stop_token stop);

}  // namespace zcdp::services
