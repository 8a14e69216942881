#include "folder_windows.hpp"

#include <dirent.h>

#include "zcdp/base/paths.hpp"

namespace zcdp::services::serve {
namespace {

/// Two changes within one tick of the file system's clock leave the same times: only what is older than this says that
/// nothing came after. (Git's index has the same rule, Documentation/technical/racy-git.)
constexpr int64_t kSettledS = 2;
/// Some network and FUSE file systems never move a folder's times.
constexpr int64_t kOldestNs = 60'000'000'000;
constexpr size_t kKeptOverheadBytes = 512;

bool same(const timespec& a, const timespec& b) { return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec; }

bool same_times(const struct stat& a, const struct stat& b) {
    return same(a.st_mtim, b.st_mtim) && same(a.st_ctim, b.st_ctim);
}

size_t bytes_of(const NameWindow& window) { return window.memory_bytes() + kKeptOverheadBytes; }

struct Turn {
    explicit Turn(std::counting_semaphore<>& of) : semaphore(of) { semaphore.acquire(); }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    ~Turn() { semaphore.release(); }
    std::counting_semaphore<>& semaphore;
};

}  // namespace

std::string key_part(Fs& fs, int folder, const SeenEntry& entry) {
    unsigned char type = entry.type;
    if (type == DT_UNKNOWN) {
        const auto st = fs.stat(folder, entry.name);
        if (!st) return {};
        type = S_ISDIR(st->st_mode) ? DT_DIR : S_ISREG(st->st_mode) ? DT_REG : DT_LNK;
    }
    if ((type != DT_DIR && type != DT_REG) || check_path(entry.name) != PathProblem::none) return {};
    return type == DT_DIR ? std::string(entry.name) + '/' : entry.name;
}

uint64_t FolderWindows::begin_page() {
    const MutexLock lock(mutex_);
    return begun_;
}

SysResult<FolderWindows::Names> FolderWindows::names(int folder, std::string_view from, size_t most, uint64_t page) {
    const auto now = fs_.stat_fd(folder);
    if (!now) return now.error();
    auto window = find(*now, from, page);
    if (!window) {
        const Turn turn(readers_);
        window = find(*now, from, page);  // another listing may have read it meanwhile
        if (!window) {
            auto made = read(folder, from);
            if (!made) return made.error();
            window = std::move(*made);
        }
    }
    Names out;
    size_t at = window->find(from);
    for (; at < window->size() && out.names.size() < most; ++at) out.names.emplace_back((*window)[at]);
    out.at_end = at == window->size() && window->complete();
    return out;
}

size_t FolderWindows::kept_bytes() const {
    const MutexLock lock(mutex_);
    return kept_bytes_;
}

bool FolderWindows::usable(const Kept& kept, const struct stat& now, uint64_t page) const {
    if (kept.number > page) return true;
    return kept.settled && same_times(kept.before, now) && clock_.monotonic_ns() - kept.read_ns < kOldestNs;
}

std::shared_ptr<const NameWindow> FolderWindows::find(const struct stat& now, std::string_view from, uint64_t page) {
    const MutexLock lock(mutex_);
    const auto [first, last] = by_folder_.equal_range({now.st_dev, now.st_ino});
    for (auto each = first; each != last; ++each) {
        if (!each->second->window->covers(from) || !usable(*each->second, now, page)) continue;
        kept_.splice(kept_.begin(), kept_, each->second);
        return each->second->window;
    }
    return nullptr;
}

SysResult<std::shared_ptr<const NameWindow>> FolderWindows::read(int folder, std::string_view from) {
    Kept made;
    {
        const MutexLock lock(mutex_);
        made.number = ++begun_;
    }
    made.read_ns = clock_.monotonic_ns();
    const int64_t unix_s = clock_.unix_s();
    const auto before = fs_.stat_fd(folder);
    if (!before) return before.error();
    made.before = *before;
    made.folder = {before->st_dev, before->st_ino};
    made.settled = unix_s - before->st_ctim.tv_sec > kSettledS;
    NameWindowBuilder builder(from, limits_.window_bytes);
    reads_.add();
    LeftOut left_out;
    const bool counts = left_out_ && from.empty();  // the first window's reading sees all that the others do
    const auto seen = fs_.scan(folder, [&](const SeenEntry& entry) {
        // Most of them, before they are looked at closely.
        if (entry.type == DT_REG && !builder.wants(entry.name) &&
            (!counts || check_path(entry.name) == PathProblem::none))
            return true;
        const std::string name = key_part(fs_, folder, entry);
        if (!name.empty()) builder.add(name);
        else if (counts) left_out.add(fs_, folder, entry);
        return true;
    });
    if (!seen) return seen.error();
    if (counts) left_out_->note(made.folder, left_out);
    auto window = std::make_shared<const NameWindow>(std::move(builder).finish());
    made.window = window;
    keep(std::move(made), from);
    return window;
}

/// In the place of those that would have answered, had they been good still; at the cost of the longest unused.
void FolderWindows::keep(Kept kept, std::string_view from) {
    const MutexLock lock(mutex_);
    for (auto [each, last] = by_folder_.equal_range(kept.folder); each != last;) {
        const auto which = each++;
        if (which->second->window->covers(from)) drop(which);
    }
    kept_bytes_ += bytes_of(*kept.window);
    kept_.push_front(std::move(kept));
    by_folder_.emplace(kept_.front().folder, kept_.begin());
    while (kept_bytes_ > limits_.kept_bytes && kept_.size() > 1) {
        const Place oldest = std::prev(kept_.end());
        auto [each, last] = by_folder_.equal_range(oldest->folder);
        while (each != last && each->second != oldest) ++each;
        drop(each);
    }
}

void FolderWindows::drop(std::multimap<FolderId, Place>::iterator which) {
    kept_bytes_ -= bytes_of(*which->second->window);
    kept_.erase(which->second);
    by_folder_.erase(which);
}

}  // namespace zcdp::services::serve
