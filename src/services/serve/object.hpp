// What is known of one object, and the tag made from it.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>

namespace zcdp::services::serve {

struct ObjectStat {
    uint64_t size_bytes = 0;
    int64_t modified_unix_s = 0;  ///< as it can be shown: 1970 for what is before, 9999 for what is after
    uint64_t modified_ns = 0;     ///< since 1970, modulo 2^64
    uint64_t changed_ns = 0;      ///< ctime: moves with every write, and no program can set it back
    uint64_t inode = 0;

    int64_t modified_s() const { return modified_unix_s; }
    bool operator==(const ObjectStat&) const = default;
};

ObjectStat object_stat(const struct stat& st);

/// `"MTIME_NS-SIZE-INODE"` in hex, with the quotes. The '-' tells clients that it is no MD5.
std::string etag(const ObjectStat& object);

}  // namespace zcdp::services::serve
