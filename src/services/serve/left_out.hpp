// What zcdp serve does not show of a directory, counted as listings come upon it: symlinks, sockets and their like, and
// names that are no keys. Thread rule: any thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "zcdp/base/fs.hpp"
#include "zcdp/base/guarded.hpp"
#include "zcdp/base/log.hpp"
#include "zcdp/base/metrics.hpp"

namespace zcdp::services::serve {

/// Of one folder.
struct LeftOut {
    uint64_t links = 0, special = 0, names = 0;
    std::string example;
    uint64_t total() const { return links + special + names; }
    /// An entry that has no part in a key.
    void add(Fs& fs, int folder, const SeenEntry& entry);
};

class LeftOutBook {
  public:
    using FolderId = std::pair<dev_t, ino_t>;
    LeftOutBook(Metrics& metrics, Logger& log);
    /// What a whole reading of the folder found; a later one replaces it. Says so in the log when the total has doubled
    /// since it was said last: a million such folders are no million lines.
    void note(FolderId folder, const LeftOut& found);

  private:
    Counter& entries_;
    Logger& log_;
    Mutex mutex_;
    std::map<FolderId, LeftOut> folders_ ZCDP_GUARDED_BY(mutex_);  ///< those with any, the first kFoldersMost
    LeftOut all_ ZCDP_GUARDED_BY(mutex_);
    uint64_t said_ ZCDP_GUARDED_BY(mutex_) = 0;
};

}  // namespace zcdp::services::serve
