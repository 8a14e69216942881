#include "folder_cursor.hpp"

#include <dirent.h>
#include <fcntl.h>

#include <algorithm>
#include <cerrno>

#include "zcdp/base/paths.hpp"

namespace zcdp::s3door {

Result<> FolderCursor::enter(int parent, const std::string& name) {
    Level level;
    level.path = (levels_.empty() ? "" : levels_.back().path) + name;
    const std::string component = name.empty() ? "." : name.substr(0, name.size() - 1);
    auto fd = fs_.open(parent, component.c_str(), O_RDONLY | O_DIRECTORY);
    if (!fd) {
        // Vanished, replaced or not readable: as S3 would have it, there is nothing there.
        if (!name.empty()) return {};
        return system_error(fd.error(), "opening", level.path);
    }
    level.fd = std::move(*fd);
    auto names = fs_.list(level.fd.get());
    if (!names) return system_error(names.error(), "reading the folder", level.path);
    for (DirEntry& entry : *names) {
        unsigned char type = entry.type;
        if (type == DT_UNKNOWN)
            if (const auto st = fs_.stat(level.fd.get(), entry.name.c_str())) type = S_ISDIR(st->st_mode) ? DT_DIR : S_ISREG(st->st_mode) ? DT_REG : DT_LNK;
        if (type != DT_DIR && type != DT_REG) continue;
        if (check_path(entry.name) != PathProblem::none) continue;
        if (level.path.empty() && entry.name == ".zcdp") continue;
        level.names.push_back(type == DT_DIR ? entry.name + "/" : std::move(entry.name));
    }
    std::sort(level.names.begin(), level.names.end());
    levels_.push_back(std::move(level));
    return {};
}

Result<KeyCursor::Step> FolderCursor::next() {
    if (!begun_) {
        begun_ = true;
        ZCDP_CHECK(enter(root_, ""));
    }
    while (!levels_.empty()) {
        Level& level = levels_.back();
        if (level.next == level.names.size()) {
            levels_.pop_back();
            continue;
        }
        const std::string name = level.names[level.next++];
        const std::string path = level.path + name;
        if (name.ends_with('/')) {
            // A folder all of whose keys lie before `from` is not even read.
            if (path < from_ && !std::string_view(from_).starts_with(path)) continue;
            ZCDP_CHECK(enter(level.fd.get(), name));
            continue;
        }
        if (path < from_) continue;
        key_ = path;
        return Step::key;
    }
    return Step::end;
}

Result<ObjectStat> FolderCursor::stat() {
    const std::string name = key_.substr(key_.rfind('/') + 1);
    const auto st = fs_.stat(levels_.back().fd.get(), name.c_str());
    if (!st || !S_ISREG(st->st_mode)) return Error(ErrorKind::not_found, "is gone", key_);
    return object_stat(*st);
}

}  // namespace zcdp::s3door
