// The kernel's file system behind Fs. Each changing call has a crash point before and after it.
#include "zcdp/base/fs.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "zcdp/base/faults.hpp"

namespace zcdp {

void Fd::reset() {
    if (fd_ >= 0) ::close(fd_);  // EINTR: Linux has closed it all the same
    fd_ = -1;
}

namespace {

boost::system::error_code last_error() { return {errno, boost::system::system_category()}; }

/// Runs one system call that returns -1 on error, again after EINTR.
template <class F>
SysResult<> checked(F call) {
    for (;;) {
        if (call() != -1) return {};
        if (errno != EINTR) return last_error();
    }
}

/// The same for a call that changes something.
template <class F>
SysResult<> changing(const char* what, F call) {
    faults::crash_point(what);
    SysResult<> result = checked(call);
    faults::crash_point(what);
    return result;
}

SysResult<Fd> openat2(int dir, const char* path, int flags, mode_t mode, uint64_t resolve) {
    open_how how{};
    how.flags = static_cast<uint64_t>(static_cast<uint32_t>(flags | O_CLOEXEC | O_NOFOLLOW));
    how.mode = (flags & (O_CREAT | O_TMPFILE)) ? mode : 0;
    how.resolve = resolve;
    const bool creates = flags & O_CREAT;
    if (creates) faults::crash_point("open");
    for (;;) {
        const long fd = ::syscall(SYS_openat2, dir, path, &how, sizeof how);
        if (fd >= 0) {
            if (creates) faults::crash_point("open");
            return Fd(static_cast<int>(fd));
        }
        // EAGAIN: a rename raced with RESOLVE_BENEATH; the kernel asks to try again.
        if (errno != EINTR && !(errno == EAGAIN && resolve)) return last_error();
    }
}

class SystemFs final : public Fs {
  public:
    SysResult<Fd> open(int dir, const char* path, int flags, mode_t mode) override {
        return openat2(dir, path, flags, mode, 0);
    }
    SysResult<Fd> open_beneath(int dir, const char* path, int flags, mode_t mode) override {
        if (faults::broken("beneath")) {
            const int fd = ::openat(dir, path, flags | O_CLOEXEC, mode);
            if (fd < 0) return last_error();
            return Fd(fd);
        }
        return openat2(dir, path, flags, mode, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
    }
    SysResult<Fd> open_following(int dir, const char* path, int flags) override {
        while (true) {
            const int fd = ::openat(dir, path, flags | O_CLOEXEC);
            if (fd >= 0) return Fd(fd);
            if (errno != EINTR) return last_error();
        }
    }
    SysResult<> mkdir(int dir, const char* path, mode_t mode) override {
        return changing("mkdir", [&] { return ::mkdirat(dir, path, mode); });
    }
    SysResult<> rename(int from_dir, const char* from, int to_dir, const char* to) override {
        return changing("rename", [&] { return ::renameat(from_dir, from, to_dir, to); });
    }
    SysResult<> rename_new(int from_dir, const char* from, int to_dir, const char* to) override {
        return changing("rename", [&] { return ::renameat2(from_dir, from, to_dir, to, RENAME_NOREPLACE); });
    }
    SysResult<> link(int from_dir, const char* from, int to_dir, const char* to) override {
        return changing("link", [&] { return ::linkat(from_dir, from, to_dir, to, 0); });
    }
    SysResult<> symlink(const char* target, int dir, const char* path) override {
        return changing("symlink", [&] { return ::symlinkat(target, dir, path); });
    }
    SysResult<> unlink(int dir, const char* path) override {
        return changing("unlink", [&] { return ::unlinkat(dir, path, 0); });
    }
    SysResult<> rmdir(int dir, const char* path) override {
        return changing("rmdir", [&] { return ::unlinkat(dir, path, AT_REMOVEDIR); });
    }
    SysResult<struct stat> stat(int dir, const char* path) override {
        struct stat st;
        if (auto done = checked([&] { return ::fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW); }); !done)
            return done.error();
        return st;
    }
    SysResult<> chown(int dir, const char* path, uid_t uid, gid_t gid) override {
        return changing("chown", [&] { return ::fchownat(dir, path, uid, gid, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH); });
    }
    SysResult<std::string> readlink(int dir, const char* path) override {
        std::string target(4096, '\0');
        const ssize_t length = ::readlinkat(dir, path, target.data(), target.size());
        if (length < 0) return last_error();
        target.resize(static_cast<size_t>(length));
        return target;
    }
    SysResult<> scan(int dir, const std::function<bool(const SeenEntry&)>& more) override;

    SysResult<size_t> read(int fd, std::span<std::byte> into, uint64_t offset) override;
    SysResult<> write(int fd, std::span<const std::byte> bytes, uint64_t offset) override;
    SysResult<> truncate(int fd, uint64_t size_bytes) override {
        return changing("truncate", [&] { return ::ftruncate(fd, static_cast<off_t>(size_bytes)); });
    }
    SysResult<> allocate(int fd, uint64_t size_bytes) override {
        return changing("allocate", [&] { return ::fallocate(fd, 0, 0, static_cast<off_t>(size_bytes)); });
    }
    SysResult<struct stat> stat_fd(int fd) override {
        struct stat st;
        if (auto done = checked([&] { return ::fstat(fd, &st); }); !done) return done.error();
        return st;
    }
    SysResult<> chmod_fd(int fd, mode_t mode) override {
        return changing("chmod", [&] { return ::fchmod(fd, mode); });
    }
    SysResult<> set_times(int fd, int64_t unix_s) override {
        const timespec times[2] = {{unix_s, 0}, {unix_s, 0}};
        return changing("set_times", [&] { return ::futimens(fd, times); });
    }
    SysResult<> clone(int from_fd, int to_fd) override {
        return changing("clone", [&] { return ::ioctl(to_fd, FICLONE, from_fd); });
    }
    SysResult<uint64_t> copy(int from_fd, int to_fd, uint64_t offset, uint64_t size_bytes) override;

    SysResult<> fdatasync(int fd) override {
        return changing("fdatasync", [&] { return ::fdatasync(fd); });
    }
    SysResult<> fsync(int fd) override {
        return changing("fsync", [&] { return ::fsync(fd); });
    }
    SysResult<> sync_fs(int fd) override {
        return changing("syncfs", [&] { return ::syncfs(fd); });
    }
    SysResult<> start_writeback(int fd) override {
        return checked([&] { return ::sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE); });
    }
    SysResult<> wait_writeback(int fd) override {
        constexpr unsigned all = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
        return changing("writeback", [&] { return ::sync_file_range(fd, 0, 0, all); });
    }
    SysResult<uint64_t> type(int fd) override {
        struct statfs st;
        if (auto done = checked([&] { return ::fstatfs(fd, &st); }); !done) return done.error();
        return static_cast<uint64_t>(st.f_type);
    }
    SysResult<FsSpace> space(int fd) override {
        struct statvfs vfs;
        if (auto done = checked([&] { return ::fstatvfs(fd, &vfs); }); !done) return done.error();
        return FsSpace{vfs.f_blocks * vfs.f_frsize, vfs.f_bavail * vfs.f_frsize, vfs.f_files, vfs.f_favail};
    }
    size_t open_files_max() override {
        rlimit limit{};
        ::getrlimit(RLIMIT_NOFILE, &limit);
        return static_cast<size_t>(limit.rlim_cur);
    }
};

SysResult<> SystemFs::scan(int dir, const std::function<bool(const SeenEntry&)>& more) {
    // A descriptor of its own: `dir`'s read position stays where it is.
    auto own = openat2(dir, ".", O_RDONLY | O_DIRECTORY, 0, 0);
    if (!own) return own.error();
    const std::unique_ptr<DIR, decltype(&::closedir)> stream(::fdopendir(own->get()), ::closedir);
    if (!stream) return last_error();
    own->release();
    while (true) {
        errno = 0;
        const dirent* entry = ::readdir(stream.get());
        if (!entry) break;
        const std::string_view name = entry->d_name;
        if (name != "." && name != ".." && !more({entry->d_name, entry->d_type, entry->d_ino})) return {};
    }
    if (const auto error = last_error()) return error;
    return {};
}

SysResult<size_t> SystemFs::read(int fd, std::span<std::byte> into, uint64_t offset) {
    size_t done = 0;
    while (done < into.size()) {
        const ssize_t got = ::pread(fd, into.data() + done, into.size() - done, static_cast<off_t>(offset + done));
        if (got < 0) {
            if (errno == EINTR) continue;
            return last_error();
        }
        if (got == 0) break;
        done += static_cast<size_t>(got);
    }
    return done;
}

SysResult<> SystemFs::write(int fd, std::span<const std::byte> bytes, uint64_t offset) {
    faults::crash_point("write");
    size_t done = 0;
    while (done < bytes.size()) {
        const ssize_t put = ::pwrite(fd, bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
        if (put < 0) {
            if (errno == EINTR) continue;
            return last_error();
        }
        if (put == 0) return boost::system::error_code(EIO, boost::system::system_category());
        done += static_cast<size_t>(put);
    }
    faults::crash_point("write");
    return {};
}

SysResult<uint64_t> SystemFs::copy(int from_fd, int to_fd, uint64_t offset, uint64_t size_bytes) {
    faults::crash_point("copy");
    auto from = static_cast<off_t>(offset), to = from;
    uint64_t done = 0;
    while (done < size_bytes) {
        const ssize_t got = ::copy_file_range(from_fd, &from, to_fd, &to, size_bytes - done, 0);
        if (got < 0) {
            if (errno == EINTR) continue;
            return last_error();
        }
        if (got == 0) break;
        done += static_cast<uint64_t>(got);
    }
    faults::crash_point("copy");
    return done;
}

}  // namespace

SysResult<std::vector<DirEntry>> Fs::list(int dir) {
    std::vector<DirEntry> entries;
    const auto seen = scan(dir, [&](const SeenEntry& entry) {
        entries.push_back({entry.name, entry.type, entry.inode});
        return true;
    });
    if (!seen) return seen.error();
    return entries;
}

Fs& system_fs() {
    static SystemFs fs;
    return fs;
}

}  // namespace zcdp
