#include "src/services/agent/mounter.hpp"

#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "zcdp/base/fs.hpp"

// <sys/mount.h> clashes with <linux/mount.h>; these two are stable ABI.
extern "C" int umount2(const char* target, int flags) noexcept;

namespace zcdp::services::agent {
namespace {

constexpr int kNoFollow = 8;  // UMOUNT_NOFOLLOW
constexpr int kMountsMost = 16;

Fd open_tree(int dir, const char* path) {
    return Fd(
        static_cast<int>(::syscall(SYS_open_tree, dir, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH)));
}

/// The folder below the tree, reached without a symlink.
Fd open_below(int tree, const std::string& sub_path) {
    open_how how{};
    how.flags = O_PATH | O_CLOEXEC | O_DIRECTORY;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
    return Fd(static_cast<int>(::syscall(SYS_openat2, tree, sub_path.c_str(), &how, sizeof how)));
}

class KernelMounter final : public Mounter {
  public:
    Result<> bind(const std::string& tree, const std::string& sub_path, const std::string& target) override {
        Fd source(::open(tree.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (!source) return errno_error(errno, "opening", tree);
        if (!sub_path.empty()) {
            source = open_below(source.get(), sub_path);
            if (!source)
                return Error(ErrorKind::not_found, "the dataset has no such folder", sub_path,
                             "correct the claim's subPath");
        }
        const Fd mount = open_tree(source.get(), "");
        if (!mount) return errno_error(errno, "cloning the mount of", tree);
        mount_attr attributes{};
        attributes.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
        if (::syscall(SYS_mount_setattr, mount.get(), "", AT_EMPTY_PATH, &attributes, sizeof attributes) != 0)
            return errno_error(errno, "setting the mount's attributes for", target);
        if (::mkdir(target.c_str(), 0750) != 0 && errno != EEXIST) return errno_error(errno, "making", target);
        if (::syscall(SYS_move_mount, mount.get(), "", AT_FDCWD, target.c_str(), MOVE_MOUNT_F_EMPTY_PATH) != 0)
            return errno_error(errno, "mounting at", target);
        return {};
    }

    bool is_mount(const std::string& target) override {
        struct statx about{};
        const int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT;
        return ::statx(AT_FDCWD, target.c_str(), flags, STATX_TYPE, &about) == 0 &&
               (about.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
    }

    Result<> unbind(const std::string& target) override {
        for (int count = 0; count < kMountsMost; ++count) {
            if (::umount2(target.c_str(), kNoFollow) == 0) continue;
            if (errno == EINVAL || errno == ENOENT) break;  // nothing is mounted there, or it is not there
            if (errno == EBUSY && ::umount2(target.c_str(), kNoFollow | 2 /* MNT_DETACH */) == 0) continue;
            return errno_error(errno, "unmounting", target);
        }
        if (::rmdir(target.c_str()) != 0 && errno != ENOENT) return errno_error(errno, "removing", target);
        return {};
    }

    Result<std::vector<DataMount>> mounts() override {
        // Read to the end in one go of read(2) calls: the kernel gives whole lines.
        const Fd file(::open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC));
        if (!file) return errno_error(errno, "opening", "/proc/self/mountinfo");
        std::string text;
        char buffer[32 << 10];
        for (ssize_t n; (n = ::read(file.get(), buffer, sizeof buffer)) != 0;) {
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) return errno_error(errno, "reading", "/proc/self/mountinfo");
            text.append(buffer, static_cast<size_t>(n));
        }
        return data_mounts(text);
    }
};

}  // namespace

Result<std::unique_ptr<Mounter>> make_mounter() {
    mount_attr nothing{};
    if (::syscall(SYS_mount_setattr, -1, "", AT_EMPTY_PATH, &nothing, sizeof nothing) != 0 && errno == ENOSYS) {
        utsname name{};
        ::uname(&name);
        return Error(ErrorKind::failed,
                     std::string("this kernel (") + name.release + ") cannot mount read-only in one step", "",
                     "Linux 5.12 or later is needed");
    }
    return std::unique_ptr<Mounter>(std::make_unique<KernelMounter>());
}

}  // namespace zcdp::services::agent
