// Copies a long file past the page cache: what was just fetched is not in it, and what is just copied need not be.
// Thread rule: any thread; works with threads of its own, which have ended when it returns.
#pragma once

#include <functional>
#include <string>

#include "zcdp/base/error.hpp"
#include "zcdp/base/fs.hpp"

namespace zcdp::store {

/// From this size on copy_direct is the cheaper way.
inline constexpr uint64_t kDirectCopyBytesMin = 16 << 20;

struct FileAt {
    int dir;
    const std::string& name;   ///< below `dir`
    const std::string& shown;  ///< for messages
};

/// Fills `to`, which exists and is empty, with the `size_bytes` of `from`. False: one of the file systems knows no
/// direct I/O, and nothing was done. `copied` is called for each piece, on any thread. Errors: of the disk, or
/// `corrupt` when `from` is shorter.
Result<bool> copy_direct(Fs& fs, FileAt from, FileAt to, uint64_t size_bytes,
                         const std::function<void(uint64_t)>& copied);

}  // namespace zcdp::store
