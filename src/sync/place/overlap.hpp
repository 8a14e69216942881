// Source, destination and store must be apart: one inside another is copied into itself, or has files of the one where
// the other's are. Paths do not tell: symlinks and mounts lead to the same folder by many names. So each is described
// by the folders that it lies in, by device and inode, and by where its file system has it.
#pragma once

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

#include "zcdp/base/error.hpp"
#include "zcdp/base/fs.hpp"

namespace zcdp::sync {

struct Place {
    using Id = std::pair<dev_t, ino_t>;
    std::vector<Id> folders;  ///< from the place itself, or the nearest folder around it that exists, up to the root
    std::string missing;      ///< what does not exist yet of it, below folders.front()
    std::string in_device;    ///< its path within its file system, whatever is mounted where; "" when it is not known
};

/// Pure: whether `inner` is `outer` or lies in it.
bool is_within(const Place& inner, const Place& outer);

/// Absolute, without "." and ".."; where there is a "..", as the system takes it, not the text.
std::string absolute_path(const std::string& path);

Place place_of(Fs& fs, const std::string& path);

/// What is compared; "" is left out.
struct Places {
    std::string source, dest, store;
    bool source_is_file = false;  ///< `source` is the folder that the file is in
};

/// Errors: usage, naming the two.
Result<> check_apart(Fs& fs, const Places& places);

}  // namespace zcdp::sync
