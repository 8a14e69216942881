// A tree that is ready already, into a directory of the user's: the second half of a sync whose first half somebody
// else did, who owns the store.
//
// Thread rule: blocks the calling thread; Progress and the stop token as in sync.hpp.
#pragma once

#include <stop_token>

#include "zcdp/sync/sync.hpp"

namespace zcdp::sync {

/// Puts the snapshot of `report` into options.dest, as run() does: `report.path` is its tree in a store
/// (ROOT/snapshots/ID/tree), beside which its manifest lies, and the caller sees to it that it stays meanwhile. The
/// manifest must have the snapshot's id. Fills path and what was removed in. Errors: usage (DEST and the store overlap,
/// no store's tree), corrupt, busy, no_space, interrupted.
Result<> place_ready_tree(const SyncOptions& options, Machine machine, SyncReport& report, Progress& progress,
                          std::stop_token stop);

/// What --delete would remove from options.dest: lists the source once more and counts into `report`, which somebody's
/// dry run has filled. Nothing is changed. Errors: as run(); source_changed when it is another revision by now.
Result<> count_removals(const SyncOptions& options, const origin::OriginFactory& origin, Machine machine,
                        SyncReport& report, Progress& progress, std::stop_token stop);

}  // namespace zcdp::sync
