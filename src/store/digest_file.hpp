// What a file on disk really has: read, hashed, as many chunks at once as are best hashed together.
// Thread rule: any thread; a buffer belongs to one call at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "zcdp/base/digest.hpp"
#include "zcdp/base/error.hpp"
#include "zcdp/base/fs.hpp"

namespace zcdp::store {

/// The digest of the first `size_bytes` of an open file. `buffer` grows to what the largest file needs, 16 MiB at most.
/// `progress` may be empty. Errors, without the file's name: corrupt, when it ends before; of the disk.
Result<Digest> digest_file(Fs& fs, int fd, uint64_t size_bytes, std::vector<std::byte>& buffer,
                           const std::function<void(uint64_t)>& progress);

}  // namespace zcdp::store
