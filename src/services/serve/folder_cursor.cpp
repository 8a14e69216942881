#include "folder_cursor.hpp"

#include <dirent.h>
#include <fcntl.h>

#include <algorithm>

#include "zcdp/base/paths.hpp"

namespace zcdp::services::serve {
namespace {

constexpr std::string_view kOwn = ".zcdp";  ///< zcdp's folder at the top of what it synced into
/// A folder is shown as a common prefix when a key lies below it. Whether one does is seen by reading its entries in
/// the order of the disk, up to this many. When none of them is a file the folder is walked in the order of names,
/// which sorts them all; the windows keep the result.
constexpr size_t kLookAtMost = 1000;
/// A page is cut here: without it, a page over folders that hold no files would have no end.
constexpr size_t kFoldersAPage = 10'000;

bool is_own(std::string_view path) { return path == kOwn || (path.starts_with(kOwn) && path[kOwn.size()] == '/'); }

}  // namespace

std::optional<std::string_view> first_name(std::string_view path, std::string_view from) {
    if (from <= path) return "";
    if (!from.starts_with(path)) return std::nullopt;
    const std::string_view rest = from.substr(path.size());
    return rest.substr(0, std::min(rest.find('/'), rest.size() - 1) + 1);
}

void FolderCursor::seek(std::string_view from) {
    if (from > from_) from_ = from;
}

/// Every key lies below the folder that the prefix names, so the ones above it need not be read.
Result<> FolderCursor::begin() {
    const std::string folder = prefix_.substr(0, prefix_.rfind('/') + 1);
    if (folder.empty()) {
        auto fd = fs_.open(root_, ".", O_RDONLY | O_DIRECTORY);
        if (!fd) return system_error(fd.error(), "opening", "the bucket");
        enter(std::move(fd), "");
    } else if (check_path(folder) == PathProblem::none && !is_own(folder)) {
        enter(fs_.open_beneath(root_, folder.c_str(), O_RDONLY | O_DIRECTORY), folder);
    }
    return {};
}

/// One that vanished, was replaced or cannot be read: as S3 would have it, there is nothing there.
void FolderCursor::enter(SysResult<Fd> folder, std::string path) {
    if (folder) levels_.push_back({std::move(*folder), std::move(path), {}, 0, false, {}});
}

/// Moves to the level's next name that may hold keys >= from_; false when it has none.
Result<bool> FolderCursor::advance(Level& level) {
    const auto first = first_name(level.path, from_);
    if (!first) return false;
    if (*first > level.behind) level.behind = *first;
    const auto begin = level.names.begin();
    level.next = static_cast<size_t>(
        std::lower_bound(begin + static_cast<ptrdiff_t>(level.next), level.names.end(), level.behind) - begin);
    if (level.next < level.names.size()) return true;
    if (level.at_end) return false;
    auto more = windows_.names(level.fd.get(), level.behind, names_most_, page_);
    if (!more) return system_error(more.error(), "reading the folder", level.path);
    level.names = std::move(more->names);
    level.next = 0;
    level.at_end = more->at_end;
    return !level.names.empty();
}

bool FolderCursor::holds_file(int folder) {
    size_t seen = 0;
    bool found = false;
    (void)fs_.scan(folder, [&](const SeenEntry& entry) {
        const std::string part = key_part(fs_, folder, entry);
        found = !part.empty() && part.back() != '/';
        return !found && ++seen < kLookAtMost;
    });
    return found;
}

Result<KeyCursor::Step> FolderCursor::next() {
    if (!begun_) {
        begun_ = true;
        ZCDP_CHECK(begin());
    }
    while (!levels_.empty()) {
        Level& level = levels_.back();
        ZCDP_TRY(const bool there, advance(level));
        if (!there) {
            levels_.pop_back();
            continue;
        }
        const std::string& name = level.names[level.next];
        std::string path = level.path + name;
        key_ = path;
        const bool is_folder = name.ends_with('/');
        if (is_folder && opened_ == kFoldersAPage) return Step::paused;
        ++level.next;
        level.behind = name + '\0';
        if (is_own(path)) continue;
        if (!path.starts_with(prefix_)) return Step::end;
        if (!is_folder) return Step::key;
        ++opened_;
        auto folder = fs_.open(level.fd.get(), name.substr(0, name.size() - 1).c_str(), O_RDONLY | O_DIRECTORY);
        if (!folder) continue;
        if (folds_ && from_ <= path && path.size() > prefix_.size() && holds_file(folder->get())) return Step::key;
        enter(std::move(folder), std::move(path));
    }
    return Step::end;
}

Result<ObjectStat> FolderCursor::stat() {
    const std::string name = key_.substr(key_.rfind('/') + 1);
    const auto st = fs_.stat(levels_.back().fd.get(), name.c_str());
    if (!st || !S_ISREG(st->st_mode)) return Error(ErrorKind::not_found, "is gone", key_);
    return object_stat(*st);
}

}  // namespace zcdp::services::serve
