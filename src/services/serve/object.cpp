#include "object.hpp"

#include <fmt/compile.h>

#include <algorithm>

namespace zcdp::services::serve {
namespace {

constexpr int64_t kLastSecond = 253'402'300'799;  ///< of the year 9999

/// A file can be of any time, and nanoseconds since 1970 end in 2262 as a signed number.
uint64_t nanoseconds(const timespec& t) {
    return static_cast<uint64_t>(t.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(t.tv_nsec);
}

}  // namespace

ObjectStat object_stat(const struct stat& st) {
    ObjectStat object;
    object.size_bytes = static_cast<uint64_t>(st.st_size);
    object.modified_unix_s = std::clamp<int64_t>(st.st_mtim.tv_sec, 0, kLastSecond);
    object.modified_ns = nanoseconds(st.st_mtim);
    object.changed_ns = nanoseconds(st.st_ctim);
    object.inode = st.st_ino;
    return object;
}

std::string etag(const ObjectStat& object) {
    return fmt::format(FMT_COMPILE("\"{:x}-{:x}-{:x}\""), object.modified_ns, object.size_bytes, object.inode);
}

}  // namespace zcdp::services::serve
