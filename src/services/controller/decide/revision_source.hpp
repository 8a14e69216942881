// A revision is what was listed together with where: backend, prefix and globs are kept beside it in status.history,
// and whoever fetches it or lists it again, on whatever node, after whatever restart, goes there and not to what the
// spec says by then. Pure.
#pragma once

#include <string>

#include "src/services/controller/decide/decide_dataset.hpp"

namespace zcdp::services::controller {

/// Fills in backend, prefix and globs of an entry that an older version wrote, which kept them as one text.
void record_source(api::DatasetVersion& version);

/// Null when the history does not have it.
const api::DatasetVersion* find_version(const api::DatasetStatus& status, const Revision& revision);

/// Where the revision is, as far as the namespace may still read from there: an allowance that was taken back ends
/// here.
ResolvedSource resolve_version(const api::DatasetVersion& version, const std::string& ns,
                               const Objects<api::StorageBackend>& backends);

/// The same for any revision: of the history, else as the nodes' objects (`held`, of this dataset) say, else what the
/// spec names now.
ResolvedSource source_of_revision(const api::Dataset& dataset, const Revision& revision,
                                  const Objects<api::NodeDataset>& held, const Objects<api::StorageBackend>& backends);

}  // namespace zcdp::services::controller
