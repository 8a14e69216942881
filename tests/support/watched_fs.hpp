// A file system that lets a test in at every call: before it is made, `before` runs with the call's name and path.
// Thread rule: any thread; `before` is set while nobody calls.
#pragma once

#include <functional>
#include <string_view>

#include "tests/support/forwarding_fs.hpp"

namespace zcdp::test {

class WatchedFs final : public ForwardingFs {
  public:
    using ForwardingFs::ForwardingFs;

    /// `path` is "" where the call has a descriptor only.
    std::function<void(std::string_view call, std::string_view path)> before;

    SysResult<Fd> open(int dir, const char* path, int flags, mode_t mode) override {
        return show("open", path), below_.open(dir, path, flags, mode);
    }
    SysResult<> mkdir(int dir, const char* path, mode_t mode) override {
        return show("mkdir", path), below_.mkdir(dir, path, mode);
    }
    SysResult<> rename(int from_dir, const char* from, int to_dir, const char* to) override {
        return show("rename", from), below_.rename(from_dir, from, to_dir, to);
    }
    SysResult<> rename_new(int from_dir, const char* from, int to_dir, const char* to) override {
        return show("rename_new", from), below_.rename_new(from_dir, from, to_dir, to);
    }
    SysResult<> link(int from_dir, const char* from, int to_dir, const char* to) override {
        return show("link", from), below_.link(from_dir, from, to_dir, to);
    }
    SysResult<> symlink(const char* target, int dir, const char* path) override {
        return show("symlink", path), below_.symlink(target, dir, path);
    }
    SysResult<> unlink(int dir, const char* path) override { return show("unlink", path), below_.unlink(dir, path); }
    SysResult<> rmdir(int dir, const char* path) override { return show("rmdir", path), below_.rmdir(dir, path); }
    SysResult<struct stat> stat(int dir, const char* path) override {
        return show("stat", path), below_.stat(dir, path);
    }
    SysResult<> scan(int dir, const std::function<bool(const SeenEntry&)>& more) override {
        return show("scan", ""), below_.scan(dir, more);
    }
    SysResult<size_t> read(int fd, std::span<std::byte> into, uint64_t offset) override {
        return show("read", ""), below_.read(fd, into, offset);
    }
    SysResult<> write(int fd, std::span<const std::byte> bytes, uint64_t offset) override {
        return show("write", ""), below_.write(fd, bytes, offset);
    }
    SysResult<> truncate(int fd, uint64_t size) override { return show("truncate", ""), below_.truncate(fd, size); }
    SysResult<> allocate(int fd, uint64_t size) override { return show("allocate", ""), below_.allocate(fd, size); }
    SysResult<struct stat> stat_fd(int fd) override { return show("stat_fd", ""), below_.stat_fd(fd); }
    SysResult<> chown(int dir, const char* path, uid_t uid, gid_t gid) override {
        return show("chown", path), below_.chown(dir, path, uid, gid);
    }
    SysResult<> chmod_fd(int fd, mode_t mode) override { return show("chmod_fd", ""), below_.chmod_fd(fd, mode); }
    SysResult<> set_times(int fd, int64_t unix_s) override {
        return show("set_times", ""), below_.set_times(fd, unix_s);
    }
    SysResult<> fdatasync(int fd) override { return show("fdatasync", ""), below_.fdatasync(fd); }
    SysResult<> fsync(int fd) override { return show("fsync", ""), below_.fsync(fd); }
    SysResult<> sync_fs(int fd) override { return show("sync_fs", ""), below_.sync_fs(fd); }
    SysResult<> start_writeback(int fd) override { return show("start_writeback", ""), below_.start_writeback(fd); }
    SysResult<> wait_writeback(int fd) override { return show("wait_writeback", ""), below_.wait_writeback(fd); }
    SysResult<FsSpace> space(int fd) override { return show("space", ""), below_.space(fd); }

  private:
    void show(std::string_view call, std::string_view path) {
        if (before) before(call, path);
    }
};

}  // namespace zcdp::test
