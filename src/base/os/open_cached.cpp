#include "zcdp/base/open_cached.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "zcdp/base/faults.hpp"

namespace zcdp {

SysResult<Fd> open_beneath_cached(Fs& fs, int dir, const char* path, int flags) {
    const auto failed = [](int number) { return boost::system::error_code(number, boost::system::system_category()); };
    if (&fs != &system_fs() || faults::broken("beneath")) return failed(EAGAIN);
    open_how how{};
    how.flags = static_cast<uint64_t>(static_cast<uint32_t>(flags | O_CLOEXEC | O_NOFOLLOW));
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_CACHED;
    const long fd = ::syscall(SYS_openat2, dir, path, &how, sizeof how);
    if (fd >= 0) return Fd(static_cast<int>(fd));
    return failed(errno == EINVAL ? EAGAIN : errno);  // a kernel before 5.12 has no RESOLVE_CACHED
}

}  // namespace zcdp
