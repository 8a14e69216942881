// A sync's options, report and progress as the agent's socket carries them (api/agent.hpp): the one place that knows
// which option is which member. tests/unit/services/agent_wire_test.cpp fails when one is added and not here.
//
// Thread rule: pure functions; a Progress may be written by others meanwhile.
#pragma once

#include "zcdp/api/agent.hpp"
#include "zcdp/origin/options.hpp"
#include "zcdp/sync/sync.hpp"

namespace zcdp::services {

struct SyncOrder {
    sync::SyncOptions sync;
    origin::OriginOptions origin;
    bool hold = false;  ///< SyncRequest::hold
};

/// What the agent is asked for. What stays with the caller: DEST and how files get there, and the wait for another run
/// into it. What stays with the agent: its memory and its threads. `ca_bundle` must have been read into `ca_pem`: the
/// agent sees other files.
api::SyncRequest to_wire(const SyncOrder& order);
/// Errors: usage (an SSE-C key that is not 64 hex digits).
Result<SyncOrder> from_wire(const api::SyncRequest& request);

/// Where to send it: "/v1/sync" if every agent understands it, else "/v2/sync".
std::string sync_target(const api::SyncRequest& request);

api::SyncResult to_wire(const sync::SyncReport& report);
sync::SyncReport from_wire(const api::SyncResult& result);

api::SyncProgress to_wire(const sync::Progress& progress);
/// Makes `to` what `from` says.
void follow(const api::SyncProgress& from, sync::Progress& to);

}  // namespace zcdp::services
