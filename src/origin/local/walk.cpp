#include "src/origin/local/walk.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

namespace zcdp::origin::local {
namespace {

constexpr size_t kPageEntries = 1000;
/// Where a file that says it has no bytes has none: ext4, XFS, btrfs, tmpfs, overlayfs, NFS (linux/magic.h).
constexpr uint64_t kPlainFileSystems[] = {0xef53, 0x58465342, 0x9123683e, 0x01021994, 0x794c7630, 0x6969};

}  // namespace

Tag tag_of(const struct stat& st) {
    return Tag(fmt::format("{:x}.{:x}-{:x}.{:x}-{:x}", st.st_mtim.tv_sec, st.st_mtim.tv_nsec, st.st_ctim.tv_sec,
                           st.st_ctim.tv_nsec, st.st_ino));
}

Entry file_entry(std::string path, const struct stat& st) {
    Entry entry;
    entry.path = std::move(path);
    entry.size_bytes = static_cast<uint64_t>(st.st_size);
    entry.executable = (st.st_mode & 0111) != 0;
    entry.tag = tag_of(st);
    return entry;
}

Error Walk::error(const boost::system::error_code& code, std::string_view action, const std::string& path) const {
    return system_error(code, action, root_path_ + "/" + path);
}

Result<std::vector<Entry>> Walk::page() {
    std::vector<Entry> entries;
    if (!begun_) {
        begun_ = true;
        ZCDP_CHECK(enter(root_, "", entries));
    }
    while (!levels_.empty() && entries.size() < kPageEntries) {
        Level& level = levels_.back();
        if (level.next == level.names.size()) {
            if (!level.names.complete()) ZCDP_CHECK(read(level, std::string(level.names[level.next - 1]) + '\0'));
            if (level.next == level.names.size()) levels_.pop_back();
            continue;
        }
        const std::string name(level.names[level.next++]);
        if (name.ends_with('/')) ZCDP_CHECK(enter(level.fd.get(), name, entries));
        else ZCDP_CHECK(add(level, name, entries));
    }
    return entries;
}

SysResult<struct stat> Walk::look(int folder, const char* name) {
    auto st = fs_.stat(folder, name);
    if (!follow_ || !st || !S_ISLNK(st->st_mode)) return st;
    const auto target = fs_.open_following(folder, name, O_PATH);
    if (!target) return target.error();
    return fs_.stat_fd(target->get());
}

Error Walk::link_error(const boost::system::error_code& code, const std::string& path) const {
    if (code.value() != ENOENT && code.value() != ELOOP && code.value() != ENOTDIR)
        return error(code, "following the symlink", path);
    return Error(ErrorKind::refused,
                 code.value() == ELOOP ? "is a symlink that leads to itself" : "is a symlink that leads nowhere",
                 root_path_ + "/" + path, "mend it, or leave it out with --exclude");
}

/// A folder that is reached again from within itself would be listed for ever.
Result<> Walk::check_no_loop(Level& level) {
    const auto st = fs_.stat_fd(level.fd.get());
    if (!st) return error(st.error(), "looking at the folder", level.path);
    level.device = st->st_dev, level.inode = st->st_ino;
    for (const Level& around : levels_)
        if (around.device == st->st_dev && around.inode == st->st_ino)
            return Error(ErrorKind::refused,
                         "leads back to " + (around.path.empty() ? "the source itself" : printable(around.path)) +
                             ", which it lies in",
                         root_path_ + "/" + level.path, "leave it out with --exclude");
    return {};
}

/// A folder that cannot be opened or read is an error only where something in it may be wanted.
Result<bool> Walk::open(int parent, std::string_view name, Level& level, std::vector<Entry>& entries) {
    const std::string component(name.empty() ? "." : name.substr(0, name.size() - 1));
    constexpr int flags = O_RDONLY | O_DIRECTORY;
    auto fd =
        follow_ ? fs_.open_following(parent, component.c_str(), flags) : fs_.open(parent, component.c_str(), flags);
    if (!fd && fd.error().value() == ENOENT && !name.empty()) return false;  // gone meanwhile
    Result<> done;
    if (fd) {
        level.fd = std::move(*fd);
        if (follow_) ZCDP_CHECK(check_no_loop(level));
        done = read(level, "");
    } else {
        done = error(fd.error(), "opening the folder", level.path);
    }
    if (done) return true;
    if (selection_.of(level.path) != Selection::Verdict::refuse) return std::move(done).error();
    list_by_name(level.path, entries);  // nothing in it could be a path
    return false;
}

Result<> Walk::enter(int parent, std::string_view name, std::vector<Entry>& entries) {
    Level level;
    level.path = (levels_.empty() ? "" : levels_.back().path) + std::string(name);
    const bool wanted = !level.path.empty() && selection_.of(level.path) != Selection::Verdict::leave;
    if (!wanted && !selection_.may_hold(level.path)) return {};
    ZCDP_TRY(const bool opened, open(parent, name, level, entries));
    if (!opened) return {};
    if (level.names.size() > 0) levels_.push_back(std::move(level));
    else if (wanted) list_by_name(std::move(level.path), entries);
    return {};
}

void Walk::list_by_name(std::string path, std::vector<Entry>& entries) const {
    Entry& entry = entries.emplace_back();
    entry.kind = path.ends_with('/') ? EntryKind::directory : EntryKind::file;
    entry.path = std::move(path);
}

bool Walk::is_folder(const Level& level, const SeenEntry& entry) {
    const bool unknown = entry.type == DT_UNKNOWN || (follow_ && entry.type == DT_LNK);
    if (!unknown) return entry.type == DT_DIR;
    const std::string path = level.path + entry.name;
    if (selection_.of(path) != Selection::Verdict::take && selection_.of(path + "/") == Selection::Verdict::leave &&
        !selection_.may_hold(path + "/"))
        return false;
    const auto st = look(level.fd.get(), entry.name);
    return st && S_ISDIR(st->st_mode);
}

Result<> Walk::read(Level& level, std::string_view from) {
    NameWindowBuilder builder(from, window_bytes_);
    const auto seen = fs_.scan(level.fd.get(), [&](const SeenEntry& entry) {
        // Most names of a folder with many are passed over here, before they are looked at closely.
        if (entry.type != DT_DIR && entry.type != DT_UNKNOWN && !(follow_ && entry.type == DT_LNK)) {
            builder.add(entry.name);
            return true;
        }
        const bool folder = is_folder(level, entry);
        // What zcdp keeps in a destination is no part of the data in it.
        const bool own = level.path.empty() && folder && std::string_view(entry.name) == ".zcdp";
        if (!own) builder.add(std::string(entry.name) + (folder ? "/" : ""));
        return true;
    });
    if (!seen) return error(seen.error(), "reading the folder", level.path);
    level.names = std::move(builder).finish();
    level.next = level.names.find(from);
    return {};
}

/// In /proc, and on file systems of programs (FUSE), a file that says that it has no bytes may have some.
Result<> Walk::check_empty(const Level& level, const std::string& component, const std::string& path) {
    if (!level.sizes_hold) {
        const auto type = fs_.type(level.fd.get());
        level.sizes_hold = type && std::find(std::begin(kPlainFileSystems), std::end(kPlainFileSystems), *type) !=
                                       std::end(kPlainFileSystems);
    }
    if (*level.sizes_hold) return {};
    const auto file = fs_.open(level.fd.get(), component.c_str(), O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
    if (!file) return {};  // there are no bytes to be had from it
    std::byte first;
    const auto got = fs_.read(file->get(), std::span(&first, 1), 0);
    if (!got) return error(got.error(), "reading", path);
    if (*got == 0) return {};
    if (const auto now = fs_.stat_fd(file->get()); now && now->st_size > 0)
        return Error(ErrorKind::source_changed, "changed while it was being listed", root_path_ + "/" + path);
    return Error(ErrorKind::refused, "says that it has no bytes, but has some", root_path_ + "/" + path,
                 "copy it to an ordinary file, or leave it out with --exclude");
}

Result<> Walk::add(const Level& level, std::string_view name, std::vector<Entry>& entries) {
    const std::string component(name);
    std::string path = level.path + component;
    const auto verdict = selection_.of(path);
    if (verdict == Selection::Verdict::leave) return {};
    if (verdict == Selection::Verdict::refuse) return list_by_name(std::move(path), entries), Result<>();
    const auto st = look(level.fd.get(), component.c_str());
    if (!st && follow_) {
        const auto itself = fs_.stat(level.fd.get(), component.c_str());
        if (itself && S_ISLNK(itself->st_mode)) return link_error(st.error(), path);
    }
    if (!st && st.error().value() == ENOENT) return {};  // gone meanwhile
    if (!st) return error(st.error(), "looking at", path);
    if (S_ISREG(st->st_mode)) {
        if (st->st_size == 0) ZCDP_CHECK(check_empty(level, component, path));
        entries.push_back(file_entry(std::move(path), *st));
    } else if (S_ISLNK(st->st_mode)) {
        auto target = fs_.readlink(level.fd.get(), component.c_str());
        if (!target) return error(target.error(), "reading the symlink", path);
        Entry& entry = entries.emplace_back();
        entry.path = std::move(path);
        entry.kind = EntryKind::symlink;
        entry.symlink_target = std::move(*target);
    } else {
        Entry& entry = entries.emplace_back();
        entry.path = std::move(path);
        entry.kind = EntryKind::other;
    }
    return {};
}

}  // namespace zcdp::origin::local
