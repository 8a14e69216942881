// Short files of which DEST has nothing yet, straight out of the origin's answers into their place: hashed, written,
// made durable and named in batches, with no store between. For an origin whose tags are digests and that gives many
// files in one answer; with others nothing is done.
//
// What is in DEST already, whatever it is, is left to the ordinary way: nothing is replaced before all is here. Thread
// rule: blocks the calling thread; `dest` is only used here meanwhile.
#pragma once

#include <stop_token>
#include <string>

#include "src/sync/list/listing.hpp"
#include "src/sync/place/dest.hpp"

namespace zcdp::sync {

/// What is left of `missing`, files that DEST does not have as they were listed. dest.end_new() is the caller's to
/// call, also after an error: what was added is whole. `scratch_folder` takes the list. Errors: the origin's; of the
/// disk; corrupt; interrupted.
Result<Listed> place_new_files(const Listed& missing, Dest& dest, const origin::OriginFactory& factory,
                               const std::string& scratch_folder, Machine machine, Progress& progress,
                               const std::stop_token& stop);

}  // namespace zcdp::sync
