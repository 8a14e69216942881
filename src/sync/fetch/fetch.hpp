// The middle step: everything that a plan wants, from the origin into the store, on as many loops as asked for.
#pragma once

#include "src/sync/fetch/job.hpp"
#include "src/sync/list/listing.hpp"
#include "src/sync/store_parts.hpp"

namespace zcdp::sync {

struct FetchTotals {
    uint64_t objects_fetched = 0, bytes_fetched = 0;
    uint64_t objects_received = 0, bytes_received = 0;  ///< from other nodes
    uint64_t objects_matched = 0, bytes_matched = 0;    ///< found to be content that was here already
    std::string others_snapshot = {};                   ///< what peers have made of the revision; "" where nobody knows
};

/// Fetches what `plan` does not know to be present; blocks. What was verified is committed also when it ends in an
/// error or is stopped. Errors: the first of any loop; interrupted.
Result<FetchTotals> fetch_all(const SyncOptions& options, const EntryList& plan, const Listed& listed,
                              const store::TagScope& scope, const StoreParts& store, std::shared_ptr<store::Hold> hold,
                              const origin::OriginFactory& factory, Machine machine, Progress& progress,
                              const std::stop_token& stop);

}  // namespace zcdp::sync
