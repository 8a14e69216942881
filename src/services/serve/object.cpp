#include "object.hpp"

#include <fmt/format.h>

namespace zcdp::s3door {

ObjectStat object_stat(const struct stat& st) {
    ObjectStat object;
    object.size_bytes = static_cast<uint64_t>(st.st_size);
    object.modified_ns = int64_t{st.st_mtim.tv_sec} * 1'000'000'000 + st.st_mtim.tv_nsec;
    object.changed_ns = int64_t{st.st_ctim.tv_sec} * 1'000'000'000 + st.st_ctim.tv_nsec;
    object.inode = st.st_ino;
    return object;
}

std::string etag(const ObjectStat& object) {
    return fmt::format("\"{:x}-{:x}-{:x}\"", static_cast<uint64_t>(object.modified_ns), object.size_bytes, object.inode);
}

}  // namespace zcdp::s3door
