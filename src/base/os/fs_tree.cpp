// Small recipes over Fs: folders, trees, whole files.
#include <dirent.h>
#include <fcntl.h>

#include <algorithm>
#include <cerrno>

#include "zcdp/base/fs.hpp"
#include "zcdp/base/is_errno.hpp"
#include "zcdp/base/random.hpp"

namespace zcdp {
namespace {

boost::system::error_code error_of(int number) { return {number, boost::system::system_category()}; }

constexpr uint64_t kExt4 = 0xef53, kXfs = 0x58465342;

}  // namespace

BarrierKind barrier_kind(Fs& fs, int dir) {
    const auto type = fs.type(dir);
    return type && (*type == kExt4 || *type == kXfs) ? BarrierKind::journal : BarrierKind::each;
}

SysResult<> commit_journal(Fs& fs, int dir, const char* name) {
    auto fd = fs.open(dir, name, O_WRONLY | O_CREAT, 0600);
    if (!fd) return fd.error();
    // The length changes each time: a change of metadata that fsync has to commit.
    const auto st = fs.stat_fd(fd->get());
    if (!st) return st.error();
    const uint64_t length = st->st_size >= 4096 ? 1 : static_cast<uint64_t>(st->st_size) + 1;
    if (auto sized = fs.truncate(fd->get(), length); !sized) return sized;
    return fs.fsync(fd->get());
}

SysResult<> make_directories(Fs& fs, int dir, const std::string& path, mode_t mode) {
    // O_PATH handles, one component at a time: a symlink on the way ends in ELOOP or ENOTDIR, never outside.
    Fd held;
    int at = dir;
    size_t begin = 0;
    if (path.starts_with('/')) {
        auto root = fs.open(AT_FDCWD, "/", O_PATH | O_DIRECTORY);
        if (!root) return root.error();
        held = std::move(*root);
        at = held.get();
    }
    while (begin < path.size()) {
        const size_t slash = path.find('/', begin);
        const std::string part = path.substr(begin, slash - begin);
        begin = slash == path.npos ? path.size() : slash + 1;
        if (part.empty() || part == ".") continue;
        if (auto made = fs.mkdir(at, part.c_str(), mode); !made && !is_errno(made.error(), EEXIST)) {
            // A read-only parent that has the folder already answers EROFS or EACCES: opening it decides.
            if (!is_errno(made.error(), EROFS) && !is_errno(made.error(), EACCES)) return made.error();
            if (auto there = fs.stat(at, part.c_str()); !there) return made.error();
        }
        auto next = fs.open(at, part.c_str(), O_PATH | O_DIRECTORY);
        if (!next) return next.error();
        held = std::move(*next);
        at = held.get();
    }
    return {};
}

SysResult<> remove_tree(Fs& fs, int dir, const std::string& name) {
    const auto top = fs.stat(dir, name.c_str());
    if (!top) return is_errno(top.error(), ENOENT) ? SysResult<>() : SysResult<>(top.error());
    if (!S_ISDIR(top->st_mode)) return fs.unlink(dir, name.c_str());
    // Depth first with a stack of open folders, so that a tree of any depth needs no recursion.
    struct Level {
        Fd fd;
        std::string name;
        std::vector<DirEntry> left;
    };
    std::vector<Level> stack;
    auto enter = [&](int parent, const std::string& folder) -> SysResult<> {
        auto fd = fs.open(parent, folder.c_str(), O_RDONLY | O_DIRECTORY);
        if (!fd) return fd.error();
        const auto st = fs.stat_fd(fd->get());
        if (!st) return st.error();
        if (st->st_dev != top->st_dev) return error_of(EXDEV);
        auto entries = fs.list(fd->get());
        if (!entries) return entries.error();
        stack.push_back({std::move(*fd), folder, std::move(*entries)});
        return {};
    };
    if (auto entered = enter(dir, name); !entered) return entered.error();
    while (!stack.empty()) {
        Level& level = stack.back();
        if (level.left.empty()) {
            const std::string done = level.name;
            stack.pop_back();
            const int parent = stack.empty() ? dir : stack.back().fd.get();
            if (auto removed = fs.rmdir(parent, done.c_str()); !removed && !is_errno(removed.error(), ENOENT))
                return removed.error();
            continue;
        }
        const DirEntry entry = std::move(level.left.back());
        level.left.pop_back();
        bool folder = entry.type == DT_DIR;
        if (entry.type == DT_UNKNOWN) {
            const auto st = fs.stat(level.fd.get(), entry.name.c_str());
            folder = st && S_ISDIR(st->st_mode);
        }
        if (folder) {
            if (auto entered = enter(level.fd.get(), entry.name); !entered) return entered.error();
        } else if (auto gone = fs.unlink(level.fd.get(), entry.name.c_str());
                   !gone && !is_errno(gone.error(), ENOENT)) {
            return gone.error();
        }
    }
    return {};
}

SysResult<std::string> read_file(Fs& fs, int dir, const char* path, size_t limit_bytes) {
    auto fd = fs.open(dir, path, O_RDONLY);
    if (!fd) return fd.error();
    std::string content;
    for (;;) {
        const size_t had = content.size();
        const size_t want = had + std::min<size_t>(64 << 10, limit_bytes + 1 - had);
        content.resize(want);
        const auto got = fs.read(fd->get(), std::as_writable_bytes(std::span(content).subspan(had)), had);
        if (!got) return got.error();
        content.resize(had + *got);
        if (content.size() > limit_bytes) return error_of(EFBIG);
        if (*got < want - had) return content;
    }
}

SysResult<std::string> read_user_file(Fs& fs, std::string path, size_t limit_bytes) {
    constexpr int kLinksMost = 16;
    for (int links = 0;; ++links) {
        auto content = read_file(fs, AT_FDCWD, path.c_str(), limit_bytes);
        if (content || content.error().value() != ELOOP || links == kLinksMost) return content;
        const auto target = fs.readlink(AT_FDCWD, path.c_str());
        if (!target) return target.error();
        const size_t slash = path.rfind('/');
        path = target->starts_with('/') || slash == path.npos ? *target : path.substr(0, slash + 1) + *target;
    }
}

SysResult<> replace_file(Fs& fs, int dir, const std::string& path, std::string_view content, mode_t mode) {
    const size_t slash = path.rfind('/');
    const std::string folder = slash == path.npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
    const std::string temporary = path + "." + system_random().hex(12) + ".tmp";
    auto write_new = [&]() -> SysResult<> {
        auto fd = fs.open(dir, temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL, mode);
        if (!fd) return fd.error();
        if (auto put = fs.write(fd->get(), std::as_bytes(std::span(content.data(), content.size())), 0); !put)
            return put;
        if (auto synced = fs.fsync(fd->get()); !synced) return synced;
        return fs.rename(dir, temporary.c_str(), dir, path.c_str());
    };
    if (auto written = write_new(); !written) {
        (void)fs.unlink(dir, temporary.c_str());
        return written;
    }
    auto parent = fs.open(dir, folder.c_str(), O_RDONLY | O_DIRECTORY);
    if (!parent) return parent.error();
    return fs.fsync(parent->get());
}

}  // namespace zcdp
