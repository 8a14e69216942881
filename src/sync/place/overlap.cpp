#include "src/sync/place/overlap.hpp"

#include <fcntl.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>
#include <sstream>

namespace zcdp::sync {
namespace {

constexpr size_t kMountsBytesMax = 16 << 20;

bool path_within(const std::string& inner, const std::string& outer) {
    if (!inner.starts_with(outer)) return false;
    return outer.empty() || outer == "/" || inner.size() == outer.size() || inner[outer.size()] == '/';
}

/// mountinfo writes a space as \040.
std::string unescaped(const std::string& text) {
    std::string out;
    for (size_t i = 0; i < text.size(); ++i) {
        int value = 0;
        if (text[i] == '\\' && i + 3 < text.size() &&
            std::from_chars(&text[i + 1], &text[i + 4], value, 8).ptr == &text[i + 4]) {
            out += static_cast<char>(value);
            i += 3;
        } else {
            out += text[i];
        }
    }
    return out;
}

/// The value of `name` in /proc/self/fdinfo.
std::string fd_info(Fs& fs, int fd, const std::string& name) {
    const auto text = read_user_file(fs, "/proc/self/fdinfo/" + std::to_string(fd), 4096);
    std::istringstream words(text ? *text : "");
    for (std::string word; words >> word;)
        if (word == name) return words >> word, word;
    return "";
}

/// The path of an open folder within its file system: the mount's root and what is below the mount.
std::string in_device(Fs& fs, int fd) {
    std::error_code code;
    const std::string path = std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(fd), code).string();
    const std::string mount = fd_info(fs, fd, "mnt_id:");
    const auto mounts = read_user_file(fs, "/proc/self/mountinfo", kMountsBytesMax);
    if (code || mount.empty() || !mounts) return "";
    std::istringstream lines(*mounts);
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::string id, parent, device, root, point;
        if (!(words >> id >> parent >> device >> root >> point) || id != mount) continue;
        root = unescaped(root), point = unescaped(point);
        if (!path_within(path, point)) return "";
        const std::string below = point == "/" ? path : path.substr(point.size());
        return root == "/" && !below.empty() ? below : below == "/" ? root : root + below;
    }
    return "";
}

/// The folder itself, and those around it up to the root.
std::vector<Place::Id> folders_of(Fs& fs, Fd folder) {
    std::vector<Place::Id> ids;
    while (true) {
        const auto st = fs.stat_fd(folder.get());
        if (!st || (!ids.empty() && ids.back() == Place::Id(st->st_dev, st->st_ino))) return ids;
        ids.emplace_back(st->st_dev, st->st_ino);
        auto parent = fs.open(folder.get(), "..", O_PATH | O_DIRECTORY);
        if (!parent) return ids;
        folder = std::move(*parent);
    }
}

struct Named {
    const char* what;
    const std::string& path;
    Place place;
};

Error overlap(const Named& one, const std::string& how, const Named& other, const std::string& hint) {
    return Error(ErrorKind::usage, how + " the " + other.what + " " + other.path, one.path, hint);
}

Result<> check_two(const Named& one, const Named& other, const std::string& hint) {
    const bool in = is_within(one.place, other.place), around = is_within(other.place, one.place);
    if (in && around) return overlap(one, "is also", other, hint);
    if (in) return overlap(one, "lies in", other, hint);
    if (around) return overlap(one, "is around", other, hint);
    return {};
}

}  // namespace

bool is_within(const Place& inner, const Place& outer) {
    if (inner.folders.empty() || outer.folders.empty()) return false;
    if (!inner.in_device.empty() && !outer.in_device.empty() &&
        inner.folders.front().first == outer.folders.front().first && path_within(inner.in_device, outer.in_device))
        return true;
    if (!outer.missing.empty())
        return inner.folders.front() == outer.folders.front() && path_within(inner.missing, outer.missing);
    return std::ranges::find(inner.folders, outer.folders.front()) != inner.folders.end();
}

std::string absolute_path(const std::string& path) {
    std::error_code code;
    const auto whole = std::filesystem::absolute(path, code);
    const bool climbs = std::ranges::any_of(whole, [](const auto& part) { return part == ".."; });
    std::string text = (climbs ? std::filesystem::weakly_canonical(whole, code) : whole.lexically_normal()).string();
    if (text.empty()) text = whole.lexically_normal().string();
    while (text.size() > 1 && text.back() == '/') text.pop_back();
    return text;
}

Place place_of(Fs& fs, const std::string& path) {
    Place place;
    for (std::filesystem::path at = absolute_path(path);; at = at.parent_path()) {
        auto folder = fs.open(AT_FDCWD, (at / ".").c_str(), O_PATH | O_DIRECTORY);
        if (!folder) {
            if (at == at.root_path()) return place;
            place.missing = at.filename().string() + (place.missing.empty() ? "" : "/" + place.missing);
            continue;
        }
        place.in_device = in_device(fs, folder->get());
        if (!place.in_device.empty() && !place.missing.empty())
            place.in_device += (place.in_device == "/" ? "" : "/") + place.missing;
        place.folders = folders_of(fs, std::move(*folder));
        return place;
    }
}

Result<> check_apart(Fs& fs, const Places& places) {
    const auto look = [&](const char* what, const std::string& path) -> std::optional<Named> {
        if (path.empty()) return std::nullopt;
        return Named{what, path, place_of(fs, path)};
    };
    const auto source = look("source", places.source), dest = look("destination", places.dest),
               store = look("store", places.store);
    if (dest && source && places.source_is_file) {
        if (is_within(dest->place, source->place) && is_within(source->place, dest->place))
            return Error(ErrorKind::usage, "is the folder that the source is in already", dest->path,
                         "choose another DEST");
    } else if (dest && source) {
        ZCDP_CHECK(check_two(*dest, *source, "choose a DEST apart from it"));
    }
    if (dest && store) ZCDP_CHECK(check_two(*dest, *store, "choose another --store or DEST, or add --no-store"));
    if (store && source && !places.source_is_file) {
        // A tree that is ready there is a source as any other: nothing is written to it.
        const Place ready = place_of(fs, places.store + "/snapshots");
        if (!is_within(source->place, ready) || is_within(ready, source->place))
            ZCDP_CHECK(check_two(*store, *source, "choose another --store"));
    }
    return {};
}

}  // namespace zcdp::sync
