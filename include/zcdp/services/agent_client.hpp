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

/// What is done with the tree of a sync while the agent holds it: report.path names it, and may be changed.
using WithTree = std::function<Result<>(sync::SyncReport& report)>;

/// A sync by the agent into its store. `progress` follows; `stop` ends it. The origin's credentials are those of
/// `origin` if it has any, else the agent's own. `with_tree` is called when the tree is there, unless it is empty.
/// Errors: as the agent said, or `with_tree`; usage (the agent is too old for an option); unreachable; interrupted.
Result<sync::SyncReport> sync_by_agent(const std::string& socket, const sync::SyncOptions& options,
                                       const origin::OriginOptions& origin, sync::Progress& progress,
                                       std::stop_token stop, const WithTree& with_tree = {});

}  // namespace zcdp::services
