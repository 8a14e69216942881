// The sorted names of folders for listings, however many a folder has: a listing of N names reads the folder some N /
// window times from end to end and not once a page, for the windows (zcdp/base/name_window.hpp) of the last listings
// are kept. Thread rule: any thread.
#pragma once

#include <sys/stat.h>

#include <list>
#include <map>
#include <memory>
#include <semaphore>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "left_out.hpp"
#include "zcdp/base/clock.hpp"
#include "zcdp/base/fs.hpp"
#include "zcdp/base/guarded.hpp"
#include "zcdp/base/metrics.hpp"
#include "zcdp/base/name_window.hpp"

namespace zcdp::services::serve {

struct FolderWindowLimits {
    size_t window_bytes = size_t{2} << 20;  ///< some 70,000 names of 20 bytes
    size_t kept_bytes = size_t{16} << 20;   ///< of all windows together
};

/// The part of a key that an entry of an open folder stands for: a file's name, a folder's with its '/', "" for what is
/// neither or cannot be part of a key (zcdp/base/paths.hpp).
std::string key_part(Fs& fs, int folder, const SeenEntry& entry);

class FolderWindows {
  public:
    struct Names {
        std::vector<std::string> names;  ///< in byte order
        bool at_end = false;             ///< the folder has none behind them
    };

    /// `reads` counts the folders that are read from end to end; `left_out` is told what has no part in keys.
    FolderWindows(Fs& fs, Clock& clock, Counter& reads, FolderWindowLimits limits = {}, LeftOutBook* left_out = nullptr)
        : fs_(fs), clock_(clock), reads_(reads), limits_(limits), left_out_(left_out) {}

    /// Marks the begin of a page: what is read from here on may be used again for it even if the folder changes.
    uint64_t begin_page();
    /// Up to `most` key parts >= `from` of the open folder; none only at the end. What was read before `page` began is
    /// used again if the folder has not changed since.
    SysResult<Names> names(int folder, std::string_view from, size_t most, uint64_t page);
    size_t kept_bytes() const;

  private:
    using FolderId = std::pair<dev_t, ino_t>;
    struct Kept {
        FolderId folder;
        struct stat before{};  ///< of the folder, just before it was read
        uint64_t number = 0;   ///< reads begun are numbered
        int64_t read_ns = 0;   ///< monotonic
        bool settled = false;  ///< a change after the read shows in the folder's times
        std::shared_ptr<const NameWindow> window;
    };
    using Place = std::list<Kept>::iterator;

    std::shared_ptr<const NameWindow> find(const struct stat& now, std::string_view from, uint64_t page);
    SysResult<std::shared_ptr<const NameWindow>> read(int folder, std::string_view from);
    void keep(Kept kept, std::string_view from);
    void drop(std::multimap<FolderId, Place>::iterator which) ZCDP_REQUIRES(mutex_);
    bool usable(const Kept& kept, const struct stat& now, uint64_t page) const;

    Fs& fs_;
    Clock& clock_;
    Counter& reads_;
    const FolderWindowLimits limits_;
    LeftOutBook* const left_out_;
    std::counting_semaphore<> readers_{4};  ///< bounds the memory of windows that are being made
    mutable Mutex mutex_;
    std::list<Kept> kept_ ZCDP_GUARDED_BY(mutex_);  ///< last used first
    std::multimap<FolderId, Place> by_folder_ ZCDP_GUARDED_BY(mutex_);
    size_t kept_bytes_ ZCDP_GUARDED_BY(mutex_) = 0;
    uint64_t begun_ ZCDP_GUARDED_BY(mutex_) = 0;
};

}  // namespace zcdp::services::serve
