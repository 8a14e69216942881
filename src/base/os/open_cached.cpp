#include "zcdp/base/open_cached.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "zcdp/base/faults.hpp"

namespace zcdp {
namespace {

SysResult<Fd> open_at_once(Fs& fs, int dir, const char* path, int flags, uint64_t resolve) {
    const auto failed = [](int number) { return boost::system::error_code(number, boost::system::system_category()); };
    if (&fs != &system_fs() || faults::broken("beneath")) return failed(EAGAIN);
    open_how how{};
    how.flags = static_cast<uint64_t>(static_cast<uint32_t>(flags | O_CLOEXEC | O_NOFOLLOW));
    how.resolve = resolve | RESOLVE_CACHED;
    const long fd = ::syscall(SYS_openat2, dir, path, &how, sizeof how);
    if (fd >= 0) return Fd(static_cast<int>(fd));
    // A kernel before 5.12 has no RESOLVE_CACHED and says EINVAL.
    return failed(errno == EINVAL || errno == EINTR ? EAGAIN : errno);
}

}  // namespace

SysResult<Fd> open_cached(Fs& fs, int dir, const char* path, int flags) {
    return open_at_once(fs, dir, path, flags, 0);
}

SysResult<Fd> open_beneath_cached(Fs& fs, int dir, const char* path, int flags) {
    return open_at_once(fs, dir, path, flags, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
}

}  // namespace zcdp
