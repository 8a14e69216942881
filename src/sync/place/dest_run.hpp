// The two kinds of sync that end in a directory of the user's.
#pragma once

#include "src/sync/list/listing.hpp"
#include "zcdp/store/snapshots.hpp"
#include "zcdp/sync/sync.hpp"

namespace zcdp::sync {

/// After a sync into the store: the report's snapshot into options.dest. Fills path and what was removed in. With a dry
/// run only counts what would be removed, against `listed`.
Result<> place_snapshot(const SyncOptions& options, store::Snapshots& snapshots, const Listed& listed, Machine machine,
                        SyncReport& report, Progress& progress, const std::stop_token& stop);

/// Straight into options.dest. What is to be fetched goes through a private store in DEST/.zcdp, from which verified
/// files are moved out, so that each byte is written once and an interrupted run resumes; the private store is gone
/// afterwards. What is in DEST already, as it was put, is not fetched again.
Result<SyncReport> run_without_store(const SyncOptions& options, const origin::OriginFactory& factory, Machine machine,
                                     Progress& progress, const std::stop_token& stop);

/// What an interrupted run without a store left in `dest` is in the way once there is one. Somebody who is at work
/// there keeps it.
Result<> forget_private_store(const std::string& dest, Machine machine);

}  // namespace zcdp::sync
