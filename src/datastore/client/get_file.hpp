// One file of a data store to one place on disk: whole or not at all. Thread rule: blocks the calling thread.
#pragma once

#include <memory>
#include <stop_token>
#include <string>

#include "src/datastore/client/source.hpp"
#include "zcdp/datastore/get.hpp"

namespace zcdp::datastore {

/// The one file of `source`, which is of a key of that kind and pinned, to `path`. What is there is replaced by rename;
/// what has the same content and executable bit stays untouched. It is filled in a folder of its own beside its place,
/// so that an interrupted one goes on. `sync` has what is to be done, but for its source and dest. Errors: usage: a
/// directory is there.
Result<sync::SyncReport> get_file(std::shared_ptr<Source> source, const ServerAccess& access, const std::string& path,
                                  sync::SyncOptions options, Machine machine, sync::Progress& progress,
                                  std::stop_token stop);

}  // namespace zcdp::datastore
