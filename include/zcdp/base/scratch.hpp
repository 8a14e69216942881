// Files without a name: what is written once, read again, and gone with its descriptor, however the process ends.
#pragma once

#include <string>

#include "zcdp/base/error.hpp"
#include "zcdp/base/fs.hpp"
#include "zcdp/base/random.hpp"

namespace zcdp {

/// One in `folder`, to be read and written. Errors: as of the file system, naming the folder.
Result<Fd> open_scratch(Fs& fs, const std::string& folder, Random& random);

}  // namespace zcdp
