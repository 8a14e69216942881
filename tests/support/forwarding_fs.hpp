// A file system that hands every call to another one: what its like override is all that differs.
#pragma once

#include "zcdp/base/fs.hpp"

namespace zcdp::test {

class ForwardingFs : public Fs {
  public:
    explicit ForwardingFs(Fs& below) : below_(below) {}

    SysResult<Fd> open(int dir, const char* path, int flags, mode_t mode) override {
        return below_.open(dir, path, flags, mode);
    }
    SysResult<Fd> open_beneath(int dir, const char* path, int flags, mode_t mode) override {
        return below_.open_beneath(dir, path, flags, mode);
    }
    SysResult<Fd> open_following(int dir, const char* path, int flags) override {
        return below_.open_following(dir, path, flags);
    }
    SysResult<> mkdir(int dir, const char* path, mode_t mode) override { return below_.mkdir(dir, path, mode); }
    SysResult<> rename(int from_dir, const char* from, int to_dir, const char* to) override {
        return below_.rename(from_dir, from, to_dir, to);
    }
    SysResult<> rename_new(int from_dir, const char* from, int to_dir, const char* to) override {
        return below_.rename_new(from_dir, from, to_dir, to);
    }
    SysResult<> link(int from_dir, const char* from, int to_dir, const char* to) override {
        return below_.link(from_dir, from, to_dir, to);
    }
    SysResult<> symlink(const char* target, int dir, const char* path) override {
        return below_.symlink(target, dir, path);
    }
    SysResult<> unlink(int dir, const char* path) override { return below_.unlink(dir, path); }
    SysResult<> rmdir(int dir, const char* path) override { return below_.rmdir(dir, path); }
    SysResult<struct stat> stat(int dir, const char* path) override { return below_.stat(dir, path); }
    SysResult<> chown(int dir, const char* path, uid_t uid, gid_t gid) override {
        return below_.chown(dir, path, uid, gid);
    }
    SysResult<std::string> readlink(int dir, const char* path) override { return below_.readlink(dir, path); }
    SysResult<> scan(int dir, const std::function<bool(const SeenEntry&)>& more) override {
        return below_.scan(dir, more);
    }
    SysResult<size_t> read(int fd, std::span<std::byte> into, uint64_t offset) override {
        return below_.read(fd, into, offset);
    }
    SysResult<> write(int fd, std::span<const std::byte> bytes, uint64_t offset) override {
        return below_.write(fd, bytes, offset);
    }
    SysResult<> truncate(int fd, uint64_t size_bytes) override { return below_.truncate(fd, size_bytes); }
    SysResult<> allocate(int fd, uint64_t size_bytes) override { return below_.allocate(fd, size_bytes); }
    SysResult<struct stat> stat_fd(int fd) override { return below_.stat_fd(fd); }
    SysResult<> chmod_fd(int fd, mode_t mode) override { return below_.chmod_fd(fd, mode); }
    SysResult<> set_times(int fd, int64_t unix_s) override { return below_.set_times(fd, unix_s); }
    SysResult<> clone(int from_fd, int to_fd) override { return below_.clone(from_fd, to_fd); }
    SysResult<uint64_t> copy(int from_fd, int to_fd, uint64_t offset, uint64_t size_bytes) override {
        return below_.copy(from_fd, to_fd, offset, size_bytes);
    }
    SysResult<> fdatasync(int fd) override { return below_.fdatasync(fd); }
    SysResult<> fsync(int fd) override { return below_.fsync(fd); }
    SysResult<> sync_fs(int fd) override { return below_.sync_fs(fd); }
    SysResult<> start_writeback(int fd) override { return below_.start_writeback(fd); }
    SysResult<> wait_writeback(int fd) override { return below_.wait_writeback(fd); }
    SysResult<uint64_t> type(int fd) override { return below_.type(fd); }
    SysResult<FsSpace> space(int fd) override { return below_.space(fd); }
    size_t open_files_max() override { return below_.open_files_max(); }

  protected:
    Fs& below_;
};

}  // namespace zcdp::test
