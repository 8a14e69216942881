// The last step in the store: the listing with the digests it now has, as a snapshot.
#pragma once

#include "src/sync/list/listing.hpp"
#include "zcdp/store/origin_memory.hpp"
#include "zcdp/store/snapshots.hpp"

namespace zcdp::sync {

/// Builds and commits the snapshot of a plan whose every file is in the store; blocks. Errors: the store's;
/// interrupted.
Result<store::SnapshotInfo> build_tree(const EntryList& plan, const origin::OriginIdentity& identity,
                                       const store::TagScope& scope, const std::string& name, const Revision& revision,
                                       store::Snapshots& snapshots, store::OriginMemory& memory, Fs& fs,
                                       Progress& progress, const std::stop_token& stop);

}  // namespace zcdp::sync
