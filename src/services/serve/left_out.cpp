#include "left_out.hpp"

#include <dirent.h>

#include "src/services/metrics.hpp"
#include "zcdp/base/error.hpp"

namespace zcdp::services::serve {
namespace {

constexpr size_t kFoldersMost = 100'000;  ///< some 20 MB

}  // namespace

void LeftOut::add(Fs& fs, int folder, const SeenEntry& entry) {
    unsigned char type = entry.type;
    if (type == DT_UNKNOWN) {
        const auto st = fs.stat(folder, entry.name);
        if (!st) return;  // gone meanwhile
        type = S_ISLNK(st->st_mode) ? DT_LNK : S_ISREG(st->st_mode) ? DT_REG : S_ISDIR(st->st_mode) ? DT_DIR : DT_SOCK;
    }
    ++(type == DT_LNK ? links : type == DT_REG || type == DT_DIR ? names : special);
    if (example.empty()) example = printable(entry.name);
}

LeftOutBook::LeftOutBook(Metrics& metrics, Logger& log) : entries_(metrics.gauge(metric::serve_left_out)), log_(log) {}

void LeftOutBook::note(FolderId folder, const LeftOut& found) {
    const MutexLock lock(mutex_);
    const auto known = folders_.find(folder);
    if (known != folders_.end()) {
        all_.links -= known->second.links, all_.special -= known->second.special, all_.names -= known->second.names;
        folders_.erase(known);
    } else if (found.total() == 0 || folders_.size() >= kFoldersMost) {
        return;
    }
    if (found.total() > 0) folders_[folder] = found;
    all_.links += found.links, all_.special += found.special, all_.names += found.names;
    entries_.set(all_.total());
    if (all_.total() < 2 * said_ || all_.total() == said_) return;
    said_ = all_.total();
    log_.warn("entries are left out of the bucket, in the folders listed so far",
              {{"symlinks", all_.links},
               {"special_files", all_.special},
               {"names_that_are_no_keys", all_.names},
               {"such_as", found.example}});
}

}  // namespace zcdp::services::serve
