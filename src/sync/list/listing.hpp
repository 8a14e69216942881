// The first step: what the origin has, filtered and checked, as a list on disk.
#pragma once

#include <string>
#include <vector>

#include "src/sync/list/collect.hpp"
#include "zcdp/sync/sync.hpp"

namespace zcdp::sync {

struct Listed {
    EntryList list;
    origin::OriginIdentity identity;
    Revision revision;
    uint64_t files = 0, bytes = 0;
    uint64_t refused = 0;
    std::vector<std::string> refused_keys;
};

/// Lists the whole origin; blocks. `scratch_folder` takes the list. Errors: the origin's; refused, with the first bad
/// key and how many there are, unless options.skip_bad_keys; not_found when there is nothing below a prefix, nor an
/// object of its name.
Result<Listed> list_origin(const SyncOptions& options, const origin::OriginFactory& factory, Fs& fs, Random& random,
                           const std::string& scratch_folder, Progress& progress, const std::stop_token& stop);

}  // namespace zcdp::sync
