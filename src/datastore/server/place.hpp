// Where a data store may lie. Thread rule: any thread; it blocks.
#pragma once

#include <string>

#include "zcdp/base/error.hpp"
#include "zcdp/base/fs.hpp"

namespace zcdp::datastore {

/// Makes `root` where it is missing, and looks at its file system: hard links, direct writes and SQLite's log are
/// asked of a local one. Errors: refused, in one line; denied, failed.
Result<> check_place(Fs& fs, const std::string& root);

}  // namespace zcdp::datastore
