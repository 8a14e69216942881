// Short files of which DEST has nothing yet, straight out of the origin's answers into their place: hashed, written,
// made durable and named in batches, with no store between. For an origin whose tags are digests and that gives many
// files in one answer; with others nothing is done.
//
// What is in DEST already, whatever it is, is left to the ordinary way: nothing is replaced before all is here. Thread
// rule: blocks the calling thread; `dest` is only used here meanwhile.
#pragma once

#include <stop_token>

#include "src/sync/list/listing.hpp"
#include "src/sync/place/dest.hpp"

namespace zcdp::sync {

struct NewFiles {
    uint64_t files = 0, bytes = 0;
};

/// dest.end_new() is the caller's to call, also after an error: what was added is whole. Errors: the origin's; of the
/// disk; corrupt; interrupted.
Result<NewFiles> place_new_files(const Listed& listed, Dest& dest, const origin::OriginFactory& factory,
                                 Machine machine, Progress& progress, const std::stop_token& stop);

}  // namespace zcdp::sync
