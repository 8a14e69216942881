// Files without a name, for lists that are too long for memory. Thread rule: any thread.
#pragma once

#include <string>

#include "zcdp/base/error.hpp"
#include "zcdp/base/fs.hpp"
#include "zcdp/base/random.hpp"

namespace zcdp {

/// An unnamed file in `folder`, open for both. Errors: those of the disk.
Result<Fd> open_scratch(Fs& fs, const std::string& folder, Random& random);

}  // namespace zcdp
