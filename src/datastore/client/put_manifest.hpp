// From a source's list to what is put: digests where they are missing, the manifest, and the list with all of them.
#pragma once

#include <string>

#include "src/datastore/client/put_hash.hpp"
#include "zcdp/store/manifest.hpp"

namespace zcdp::datastore {

/// What is ready to be sent.
struct Prepared {
    std::shared_ptr<const Fd> manifest;  ///< without a name, as it is on disk
    uint64_t manifest_bytes = 0;
    store::SnapshotId snapshot;
    store::ManifestTotals totals;
    PutList list;  ///< every file with its digests
};

/// `listed` becomes `Prepared::list`. `key` names the one file of a source that is one. `scratch` takes what is
/// written. Errors: as FileHasher::hash, and those of the disk.
Result<Prepared> prepare(const PutSource& source, PutList listed, const std::string& key, FileHasher& hasher,
                         const std::string& scratch, Machine machine, sync::Progress& progress);

}  // namespace zcdp::datastore
