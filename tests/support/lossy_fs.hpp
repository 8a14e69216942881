// A file system whose power can be cut: it remembers what was made durable, and lays down what a power loss would
// leave.
//
// What it promises is the least that the barrier in use may rely on (docs/design.md section 4):
//   each     POSIX at its meanest: fsync of a file keeps its bytes, fsync of a folder its names, nothing else is kept.
//   journal  ext4 and XFS: any fsync keeps all metadata before it; bytes only of files that were written back or
//   synced,
//            another file that was not is found empty.
//   syncfs   as each, and syncfs keeps everything.
// SQLite writes beside it: the test copies or drops index.db as it likes.
// Thread rule: one thread.
#pragma once

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include "tests/support/forwarding_fs.hpp"

namespace zcdp::test {

class LossyFs final : public ForwardingFs {
  public:
    LossyFs(Fs& below, std::string root, BarrierKind promise)
        : ForwardingFs(below), root_(std::move(root)), promise_(promise) {}

    /// The `nth` changing call from now, and all that follow, fail: the power is off.
    void cut_at(uint64_t nth) { left_ = nth; }
    bool is_cut() const { return left_ == 0; }
    uint64_t calls() const { return calls_; }

    /// The bytes of the files below `folder`, which may be links to files from elsewhere, are durable already.
    void is_durable(const std::filesystem::path& folder) {
        for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
            if (entry.is_regular_file() && !entry.is_symlink()) keep_bytes(entry.path(), inode_of(entry.path()));
    }
    /// Names and other metadata become durable by themselves, as they do at any time; bytes that nobody synced do not.
    void commit_by_itself() { keep_names_below(root_); }
    /// What is found after the power is back, below `target` (an existing empty folder).
    void lay_down(const std::filesystem::path& target) const { lay_down_folder(inode_of(root_), target); }

    SysResult<Fd> open(int d, const char* p, int flags, mode_t m) override {
        return opened(flags, [&] { return below_.open(d, p, flags, m); });
    }
    SysResult<Fd> open_beneath(int d, const char* p, int flags, mode_t m) override {
        return opened(flags, [&] { return below_.open_beneath(d, p, flags, m); });
    }
    SysResult<> mkdir(int d, const char* p, mode_t m) override {
        if (off()) return error();
        auto made = below_.mkdir(d, p, m);
        if (made) folders_.erase(below_.stat(d, p)->st_ino);  // the number may have been another's before
        return made;
    }
    SysResult<> rename(int a, const char* b, int c, const char* d) override {
        return off() ? SysResult<>(error()) : below_.rename(a, b, c, d);
    }
    SysResult<> rename_new(int a, const char* b, int c, const char* d) override {
        return off() ? SysResult<>(error()) : below_.rename_new(a, b, c, d);
    }
    SysResult<> link(int a, const char* b, int c, const char* d) override {
        return off() ? SysResult<>(error()) : below_.link(a, b, c, d);
    }
    SysResult<> symlink(const char* t, int d, const char* p) override {
        return off() ? SysResult<>(error()) : below_.symlink(t, d, p);
    }
    SysResult<> unlink(int d, const char* p) override { return off() ? SysResult<>(error()) : below_.unlink(d, p); }
    SysResult<> rmdir(int d, const char* p) override { return off() ? SysResult<>(error()) : below_.rmdir(d, p); }
    SysResult<> write(int f, std::span<const std::byte> b, uint64_t o) override {
        return off() ? SysResult<>(error()) : below_.write(f, b, o);
    }
    SysResult<> truncate(int f, uint64_t s) override { return off() ? SysResult<>(error()) : below_.truncate(f, s); }
    SysResult<> allocate(int f, uint64_t s) override { return off() ? SysResult<>(error()) : below_.allocate(f, s); }
    SysResult<> chmod_fd(int f, mode_t m) override { return off() ? SysResult<>(error()) : below_.chmod_fd(f, m); }
    SysResult<> set_times(int f, int64_t s) override { return off() ? SysResult<>(error()) : below_.set_times(f, s); }
    SysResult<> chown(int d, const char* p, uid_t u, gid_t g) override {
        return off() ? SysResult<>(error()) : below_.chown(d, p, u, g);
    }
    SysResult<> clone(int a, int b) override { return off() ? SysResult<>(error()) : below_.clone(a, b); }
    SysResult<uint64_t> copy(int a, int b, uint64_t at, uint64_t s) override {
        if (off()) return error();
        return below_.copy(a, b, at, s);
    }
    SysResult<> fdatasync(int f) override { return fsync(f); }
    SysResult<> fsync(int f) override {
        if (off()) return error();
        keep(f);
        if (promise_ == BarrierKind::journal) keep_names_below(root_);
        return {};
    }
    SysResult<> wait_writeback(int f) override {
        if (off()) return error();
        if (promise_ == BarrierKind::journal) keep(f);
        return {};
    }
    SysResult<> sync_fs(int) override {
        if (off()) return error();
        keep_names_below(root_);
        is_durable(root_);
        return {};
    }
    SysResult<uint64_t> type(int) override { return promise_ == BarrierKind::journal ? EXT4_SUPER_MAGIC : TMPFS_MAGIC; }

  private:
    struct Content {
        std::string bytes;
        mode_t mode;
    };
    struct Name {
        uint64_t inode;
        mode_t mode;
        std::string symlink_target;
    };
    using Names = std::map<std::string, Name>;

    bool off() {
        ++calls_;
        if (left_ > 0 && --left_ == 0) return true;
        return left_ == 0;
    }
    static boost::system::error_code error() { return {EIO, boost::system::system_category()}; }
    template <class Open>
    SysResult<Fd> opened(int flags, Open open) {
        if ((flags & (O_CREAT | O_TRUNC)) == 0) return open();
        if (off()) return error();
        auto file = open();
        // A new file: its inode's number may have been another's before.
        if (file && (flags & O_CREAT) && below_.stat_fd(file->get())->st_size == 0)
            contents_.erase(below_.stat_fd(file->get())->st_ino);
        return file;
    }
    static uint64_t inode_of(const std::filesystem::path& path) {
        struct stat st;
        return ::lstat(path.c_str(), &st) == 0 ? st.st_ino : 0;
    }
    void keep(int fd) {
        const auto st = *below_.stat_fd(fd);
        const std::filesystem::path path = "/proc/self/fd/" + std::to_string(fd);
        if (S_ISDIR(st.st_mode)) keep_names(path, st.st_ino);
        else keep_bytes(path, st.st_ino);
    }
    void keep_bytes(const std::filesystem::path& path, uint64_t inode) {
        struct stat st;
        if (::stat(path.c_str(), &st) != 0) return;
        std::ifstream file(path, std::ios::binary);
        contents_[inode] = {std::string(std::istreambuf_iterator<char>(file), {}), st.st_mode & 07777};
    }
    void keep_names(const std::filesystem::path& folder, uint64_t inode) {
        Names names;
        for (const auto& entry : std::filesystem::directory_iterator(folder)) {
            struct stat st;
            if (::lstat(entry.path().c_str(), &st) != 0) continue;
            names[entry.path().filename()] = {
                st.st_ino, st.st_mode, entry.is_symlink() ? std::filesystem::read_symlink(entry.path()).string() : ""};
        }
        folders_[inode] = std::move(names);
    }
    void keep_names_below(const std::filesystem::path& folder) {
        keep_names(folder, inode_of(folder));
        for (const auto& entry : std::filesystem::directory_iterator(folder))
            if (entry.is_directory() && !entry.is_symlink()) keep_names_below(entry.path());
    }
    void lay_down_folder(uint64_t inode, const std::filesystem::path& target) const {
        std::map<uint64_t, std::filesystem::path> first;
        lay_down_folder(inode, target, first);
    }
    void lay_down_folder(uint64_t inode, const std::filesystem::path& target,
                         std::map<uint64_t, std::filesystem::path>& first) const {
        const auto names = folders_.find(inode);
        if (names == folders_.end()) return;
        for (const auto& [name, what] : names->second) {
            if (name.starts_with("index.db")) continue;
            const std::filesystem::path path = target / name;
            if (S_ISDIR(what.mode)) {
                std::filesystem::create_directory(path);
                lay_down_folder(what.inode, path, first);
            } else if (S_ISLNK(what.mode)) {
                std::filesystem::create_symlink(what.symlink_target, path);
            } else if (const auto [same, is_new] = first.try_emplace(what.inode, path); !is_new) {
                std::filesystem::create_hard_link(same->second, path);
            } else {
                const auto content = contents_.find(what.inode);
                std::ofstream(path, std::ios::binary) << (content == contents_.end() ? "" : content->second.bytes);
                ::chmod(path.c_str(), content == contents_.end() ? 0644 : content->second.mode);
            }
        }
    }

    const std::string root_;
    const BarrierKind promise_;
    uint64_t left_ = UINT64_MAX, calls_ = 0;
    std::map<uint64_t, Content> contents_;  ///< by inode: bytes that are kept
    std::map<uint64_t, Names> folders_;     ///< by inode: names that are kept
};

}  // namespace zcdp::test
