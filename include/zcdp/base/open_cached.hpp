// Opening a file without waiting for a disk. Thread rule: any thread.
#pragma once

#include "zcdp/base/fs.hpp"

namespace zcdp {

/// As fs.open() and fs.open_beneath(), for reading, if the kernel has all of the path in memory. EAGAIN when it has
/// not, and always for an Fs that is not the system's: who asks then opens it where it may block.
SysResult<Fd> open_cached(Fs& fs, int dir, const char* path, int flags);
SysResult<Fd> open_beneath_cached(Fs& fs, int dir, const char* path, int flags);

}  // namespace zcdp
