// What a listing of a directory of this machine says of a file, for who opens the file itself. Pure.
#pragma once

#include <sys/stat.h>

#include "zcdp/base/ids.hpp"

namespace zcdp::origin::local {

/// Made of both times and the inode: changes whenever the content does, for any write moves mtime and ctime, any
/// replacement the inode.
Tag tag_of(const struct stat& st);

}  // namespace zcdp::origin::local
