// The file system as one narrow interface: every byte that zcdp keeps goes through it, so that tests can fail the
// Nth write, drop what was not synced, and stop the process before and after each step.
//
// Calls are relative to a held directory descriptor and never follow a symlink in the last component. They are thin:
// one system call each (EINTR is retried, short reads and writes are completed), errno comes back as an error_code.
// Thread rule: any thread; an Fd belongs to its holder.
#pragma once

#include <sys/stat.h>

#include <boost/system/result.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace zcdp {

template <class T = void>
using SysResult = boost::system::result<T>;

/// Owns a file descriptor; closes it at the end of its life.
class Fd {
  public:
    Fd() = default;
    explicit Fd(int fd) : fd_(fd) {}
    Fd(Fd&& other) noexcept : fd_(other.release()) {}
    Fd& operator=(Fd&& other) noexcept {
        if (this != &other) {
            reset();
            fd_ = other.release();
        }
        return *this;
    }
    ~Fd() { reset(); }
    int get() const { return fd_; }
    explicit operator bool() const { return fd_ >= 0; }
    int release() {
        const int fd = fd_;
        fd_ = -1;
        return fd;
    }
    void reset();

  private:
    int fd_ = -1;
};

struct FsSpace {
    uint64_t total_bytes = 0, free_bytes = 0;  ///< free to this user
    uint64_t total_inodes = 0, free_inodes = 0;
};

struct DirEntry {
    std::string name;
    unsigned char type;  ///< DT_REG, DT_DIR, DT_LNK, …, DT_UNKNOWN
    uint64_t inode;
};

/// The same while it is shown; `name` ends in a NUL.
struct SeenEntry {
    const char* name;
    unsigned char type;
    uint64_t inode;
};

class Fs {
  public:
    virtual ~Fs() = default;

    // Names. `dir` may be AT_FDCWD; `path` may have several components.
    /// openat2 with O_CLOEXEC | O_NOFOLLOW added.
    virtual SysResult<Fd> open(int dir, const char* path, int flags, mode_t mode = 0) = 0;
    /// As open, but no component may be a symlink or leave `dir` (RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS); what users
    /// own (DEST) is only touched through this. EXDEV or ELOOP when the path tries.
    virtual SysResult<Fd> open_beneath(int dir, const char* path, int flags, mode_t mode = 0) = 0;
    /// As open, but symlinks are followed, wherever they lead: for a source whose owner asked for that
    /// (--follow-symlinks).
    virtual SysResult<Fd> open_following(int dir, const char* path, int flags) = 0;
    virtual SysResult<> mkdir(int dir, const char* path, mode_t mode) = 0;
    virtual SysResult<> rename(int from_dir, const char* from, int to_dir, const char* to) = 0;
    /// RENAME_NOREPLACE: EEXIST when `to` is there.
    virtual SysResult<> rename_new(int from_dir, const char* from, int to_dir, const char* to) = 0;
    virtual SysResult<> link(int from_dir, const char* from, int to_dir, const char* to) = 0;
    virtual SysResult<> symlink(const char* target, int dir, const char* path) = 0;
    virtual SysResult<> unlink(int dir, const char* path) = 0;
    virtual SysResult<> rmdir(int dir, const char* path) = 0;
    virtual SysResult<struct stat> stat(int dir, const char* path) = 0;
    /// Owner and group, as chown(2): UINT32_MAX leaves one as it is. "" is `dir` itself, a file's or a folder's
    /// descriptor.
    virtual SysResult<> chown(int dir, const char* path, uid_t uid, gid_t gid) = 0;
    virtual SysResult<std::string> readlink(int dir, const char* path) = 0;
    /// Shows all names but "." and "..", in no order and holding none of them, until `more` answers false.
    virtual SysResult<> scan(int dir, const std::function<bool(const SeenEntry&)>& more) = 0;
    /// All that scan() shows.
    SysResult<std::vector<DirEntry>> list(int dir);

    // Files.
    virtual SysResult<size_t> read(int fd, std::span<std::byte> into, uint64_t offset) = 0;  ///< 0: end of file
    virtual SysResult<> write(int fd, std::span<const std::byte> bytes, uint64_t offset) = 0;
    virtual SysResult<> truncate(int fd, uint64_t size_bytes) = 0;
    /// Reserves blocks and sets the size; EOPNOTSUPP where the file system has none.
    virtual SysResult<> allocate(int fd, uint64_t size_bytes) = 0;
    virtual SysResult<struct stat> stat_fd(int fd) = 0;
    virtual SysResult<> chmod_fd(int fd, mode_t mode) = 0;
    /// Sets both times to `unix_s`.
    virtual SysResult<> set_times(int fd, int64_t unix_s) = 0;
    /// FICLONE; EOPNOTSUPP, EXDEV or EINVAL where it cannot be.
    virtual SysResult<> clone(int from_fd, int to_fd) = 0;
    /// copy_file_range of [offset, offset + size_bytes) to the same place; returns bytes copied.
    virtual SysResult<uint64_t> copy(int from_fd, int to_fd, uint64_t offset, uint64_t size_bytes) = 0;

    // Durability. An error means: what was written may be lost; never retry on the same file.
    virtual SysResult<> fdatasync(int fd) = 0;
    virtual SysResult<> fsync(int fd) = 0;
    /// syncfs(2) of the file system that `fd` is on.
    virtual SysResult<> sync_fs(int fd) = 0;
    /// Starts write-back of the file and does not wait for its metadata (sync_file_range).
    virtual SysResult<> start_writeback(int fd) = 0;
    /// Also waits until the data are with the device; the file's metadata and the device's cache are not flushed.
    virtual SysResult<> wait_writeback(int fd) = 0;
    /// statfs(2)'s f_type: EXT4_SUPER_MAGIC and its like.
    virtual SysResult<uint64_t> type(int fd) = 0;

    virtual SysResult<FsSpace> space(int fd) = 0;
    /// How many files this process may have open (RLIMIT_NOFILE).
    virtual size_t open_files_max() = 0;
};

/// The kernel's.
Fs& system_fs();

/// mkdir -p below `dir`; fine when it is there. No component may be a symlink.
SysResult<> make_directories(Fs& fs, int dir, const std::string& path, mode_t mode);
/// rm -r of `name` below `dir`, never following a symlink, never leaving the file system; fine when it is not there.
SysResult<> remove_tree(Fs& fs, int dir, const std::string& name);
/// The whole file if it has at most `limit_bytes`, else EFBIG.
SysResult<std::string> read_file(Fs& fs, int dir, const char* path, size_t limit_bytes);
/// The same for files that people or Kubernetes put there (configuration, tokens, certificates): these may be symlinks.
SysResult<std::string> read_user_file(Fs& fs, std::string path, size_t limit_bytes);
/// Writes `path` by temporary file, fsync, rename, fsync of its folder: after a crash it is the old or the new one.
SysResult<> replace_file(Fs& fs, int dir, const std::string& path, std::string_view content, mode_t mode);

/// How many files are made durable at once.
enum class BarrierKind {
    each,     ///< fsync of each file
    journal,  ///< data written back, then one fsync that commits the journal with everybody's metadata (ext4, XFS)
    syncfs,   ///< the whole file system; only where it is the caller's own
};
/// journal on ext4 and XFS, which commit metadata in order; each elsewhere.
BarrierKind barrier_kind(Fs& fs, int dir);
/// After wait_writeback of every file: a change of dir/NAME is committed, and with it every change before it. Git's
/// core.fsyncMethod=batch rests on the same.
SysResult<> commit_journal(Fs& fs, int dir, const char* name);

}  // namespace zcdp
