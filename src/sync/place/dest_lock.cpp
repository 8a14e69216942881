#include "src/sync/place/dest_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <cstring>

#include "zcdp/base/stop.hpp"

namespace zcdp::sync {
namespace {

/// A lock that is free wakes nobody: flock(2) either blocks, and then nothing stops it, or is asked again.
constexpr uint64_t kAskAgainMs = 50;
constexpr size_t kHolderBytesMax = 4096;

/// Answers by which a file system says that it has no locks.
bool has_no_locks(int number) {
    return number == ENOLCK || number == EOPNOTSUPP || number == ENOSYS || number == EINVAL;
}

std::string holder_of(Fs& fs, int own) {
    const auto who = read_file(fs, own, "lock", kHolderBytesMax);
    return who && !who->empty() ? printable(*who) : "another process";
}

/// Whether the name is still that of the open file: who held the lock before takes the file away at the end.
bool is_named(Fs& fs, int own, int file) {
    const auto open = fs.stat_fd(file), named = fs.stat(own, "lock");
    return open && named && open->st_ino == named->st_ino && open->st_dev == named->st_dev;
}

}  // namespace

Result<DestLock> DestLock::take(Fs& fs, Clock& clock, int own, const std::string& shown, const LockWait& wait) {
    const int64_t until_ns = clock.monotonic_ns() + static_cast<int64_t>(wait.timeout_ms) * 1'000'000;
    DestLock lock;
    for (bool said = false;;) {
        auto file = fs.open(own, "lock", O_RDWR | O_CREAT, 0600);
        if (!file && file.error().value() == ENOENT) return lock.gone_ = true, std::move(lock);
        if (!file) return system_error(file.error(), "opening the lock of", shown);
        if (::flock(file->get(), LOCK_EX | LOCK_NB) == 0) {
            if (!is_named(fs, own, file->get())) continue;
            // Only for others to read: a full disk does not matter here.
            (void)fs.truncate(file->get(), 0);
            (void)fs.write(file->get(), std::as_bytes(std::span(wait.holder)), 0);
            lock.file_ = std::move(*file);
            return lock;
        }
        const int number = errno;
        if (has_no_locks(number)) {
            wait.log.warn("the file system has no locks: let no other run write to this destination meanwhile",
                          {{"destination", shown}, {"error", std::strerror(number)}});
            return lock;
        }
        if (number != EWOULDBLOCK && number != EINTR) return errno_error(number, "locking", shown);
        if (wait.stop.stop_requested())
            return Error(ErrorKind::interrupted, "stopped while waiting for " + holder_of(fs, own), shown,
                         "run the same command again");
        if (clock.monotonic_ns() >= until_ns)
            return Error(ErrorKind::busy, "is being written to by " + holder_of(fs, own), shown,
                         "wait for it, or give more time with --lock-timeout");
        if (!said)
            wait.log.warn("waits for another run into the same destination",
                          {{"destination", shown}, {"holder", holder_of(fs, own)}});
        said = true;
        (void)wait_for_stop(wait.stop, kAskAgainMs);  // looked at above
    }
}

void DestLock::release(Fs& fs, int own) {
    if (file_) (void)fs.unlink(own, "lock");
    file_.reset();
}

}  // namespace zcdp::sync
