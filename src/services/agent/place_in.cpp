#include "src/services/agent/place_in.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "zcdp/base/fs.hpp"

namespace zcdp::services::agent {

Place place_in(const std::string& tree, const std::string& path) {
    const Fd root(::open(tree.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!root) return Place::none;
    open_how how{};
    how.flags = O_PATH | O_CLOEXEC;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
    const Fd found(static_cast<int>(::syscall(SYS_openat2, root.get(), path.c_str(), &how, sizeof how)));
    if (!found) return errno == ENOENT || errno == ENOTDIR ? Place::none : Place::folder;
    struct stat about{};
    if (::fstat(found.get(), &about) != 0) return Place::none;
    return S_ISDIR(about.st_mode) ? Place::folder : Place::other;
}

}  // namespace zcdp::services::agent
