// A file system that fails on command: the Nth changing call from now gives an errno, once.
// Thread rule: any thread.
#pragma once

#include <fcntl.h>
#include <atomic>

#include <cerrno>

#include "tests/support/forwarding_fs.hpp"

namespace zcdp::test {

class FaultyFs final : public ForwardingFs {
  public:
    using ForwardingFs::ForwardingFs;

    /// The `nth` (from 1) changing call from now fails with `number`; 0 takes the order back.
    void fail(uint64_t nth, int number) {
        number_ = number;
        left_ = nth;
    }
    /// Whether the order was carried out.
    bool failed() const { return left_ == 0; }

    SysResult<Fd> open(int dir, const char* path, int flags, mode_t mode) override {
        if ((flags & O_CREAT) && due()) return error();
        return below_.open(dir, path, flags, mode);
    }
    SysResult<Fd> open_beneath(int dir, const char* path, int flags, mode_t mode) override {
        if ((flags & O_CREAT) && due()) return error();
        return below_.open_beneath(dir, path, flags, mode);
    }
    SysResult<> mkdir(int d, const char* p, mode_t m) override {
        return due() ? SysResult<>(error()) : below_.mkdir(d, p, m);
    }
    SysResult<> rename(int a, const char* b, int c, const char* d) override {
        return due() ? SysResult<>(error()) : below_.rename(a, b, c, d);
    }
    SysResult<> rename_new(int a, const char* b, int c, const char* d) override {
        return due() ? SysResult<>(error()) : below_.rename_new(a, b, c, d);
    }
    SysResult<> link(int a, const char* b, int c, const char* d) override {
        return due() ? SysResult<>(error()) : below_.link(a, b, c, d);
    }
    SysResult<> symlink(const char* t, int d, const char* p) override {
        return due() ? SysResult<>(error()) : below_.symlink(t, d, p);
    }
    SysResult<> unlink(int d, const char* p) override { return due() ? SysResult<>(error()) : below_.unlink(d, p); }
    SysResult<> rmdir(int d, const char* p) override { return due() ? SysResult<>(error()) : below_.rmdir(d, p); }
    /// A write that fails has put half of its bytes down.
    SysResult<> write(int f, std::span<const std::byte> b, uint64_t o) override {
        if (!due()) return below_.write(f, b, o);
        (void)below_.write(f, b.first(b.size() / 2), o);
        return error();
    }
    SysResult<> truncate(int f, uint64_t s) override { return due() ? SysResult<>(error()) : below_.truncate(f, s); }
    SysResult<> allocate(int f, uint64_t s) override { return due() ? SysResult<>(error()) : below_.allocate(f, s); }
    SysResult<> chmod_fd(int f, mode_t m) override { return due() ? SysResult<>(error()) : below_.chmod_fd(f, m); }
    SysResult<> chown(int d, const char* p, uid_t u, gid_t g) override {
        return due() ? SysResult<>(error()) : below_.chown(d, p, u, g);
    }
    SysResult<> set_times(int f, int64_t s) override { return due() ? SysResult<>(error()) : below_.set_times(f, s); }
    SysResult<> clone(int a, int b) override { return due() ? SysResult<>(error()) : below_.clone(a, b); }
    SysResult<uint64_t> copy(int a, int b, uint64_t at, uint64_t s) override {
        if (due()) return error();
        return below_.copy(a, b, at, s);
    }
    SysResult<> fdatasync(int f) override { return due() ? SysResult<>(error()) : below_.fdatasync(f); }
    SysResult<> fsync(int f) override { return due() ? SysResult<>(error()) : below_.fsync(f); }
    SysResult<> sync_fs(int f) override { return due() ? SysResult<>(error()) : below_.sync_fs(f); }
    SysResult<> wait_writeback(int f) override { return due() ? SysResult<>(error()) : below_.wait_writeback(f); }

  private:
    bool due() {
        uint64_t left = left_.load();
        while (left > 0)
            if (left_.compare_exchange_weak(left, left - 1)) return left == 1;
        return false;
    }
    boost::system::error_code error() const { return {number_, boost::system::system_category()}; }
    std::atomic<uint64_t> left_{0};
    std::atomic<int> number_{EIO};
};

}  // namespace zcdp::test
