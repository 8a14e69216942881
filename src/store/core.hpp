// What the parts of one open store share: its folders, its index, and how things become durable in it.
//
// Thread rule: any thread; `index` only under `mutex`, and no file is touched meanwhile: who asks the index never waits
// for a disk. A lock that is held over file work (OpenStore::upkeep_, snapshot_locks) is taken before `mutex`.
#pragma once

#include <sys/stat.h>

#include <array>
#include <atomic>
#include <functional>
#include <string>

#include "src/store/hold.hpp"
#include "src/store/index.hpp"
#include "src/store/snapshot_locks.hpp"
#include "zcdp/base/clock.hpp"
#include "zcdp/base/fs.hpp"
#include "zcdp/base/guarded.hpp"
#include "zcdp/base/log.hpp"
#include "zcdp/base/metrics.hpp"
#include "zcdp/base/random.hpp"
#include "zcdp/store/blob_name.hpp"
#include "zcdp/store/ingest.hpp"
#include "zcdp/store/upkeep.hpp"

namespace zcdp::store {

struct Core {
    Core(Fs& f, Clock& c, Random& r, Logger& l, Metrics& m) : fs(f), clock(c), random(r), log(l), metrics(m) {}

    Fs& fs;
    Clock& clock;
    Random& random;
    Logger& log;
    Metrics& metrics;
    std::string root;
    Fd root_dir, cas, partial, staging, snapshots, quarantine;
    BarrierKind barrier = BarrierKind::each;
    Mutex mutex;
    std::unique_ptr<Index> index ZCDP_GUARDED_BY(mutex) ZCDP_PT_GUARDED_BY(mutex);
    SnapshotLocks snapshot_locks;
    const std::shared_ptr<Holds> holds = std::make_shared<Holds>();

    Error error(const boost::system::error_code& code, std::string_view action, const std::string& name) const {
        return system_error(code, action, root + "/" + name);
    }
};

/// What a file takes beside its bytes: the rest of its last block, and its inode. Rounded up.
inline constexpr uint64_t kBytesPerFile = 4096;

/// Every file and folder of a store has this mtime: trees look the same wherever they were made.
inline constexpr int64_t kFixedMtime = 1;

/// After the data were written back: everything done so far in the store survives power loss. Not for
/// BarrierKind::each.
Result<> commit_all(Core& core);

/// Makes a folder of cas/ when it is missing.
Result<> make_blob_folder(Core& core, const Digest& digest);
/// Whether the blob's file is there with this size.
bool blob_on_disk(Core& core, const BlobRef& blob);

/// A file of cas/, as it was found.
struct FoundBlob {
    int dir;                    ///< its folder
    const std::string& folder;  ///< "sha256/ab"
    const std::string& name;
    BlobFile blob;
    struct stat st;
};
/// Calls `each` for every file of cas/ whose name is a blob's; ends with the first error.
Result<> for_each_blob_file(Core& core, const std::function<Result<>(const FoundBlob&)>& each);

/// The partial files, least recently written first; a map without its file counts as one.
Result<std::vector<UnfinishedFile>> unfinished_files(Core& core);

/// What a file takes of the disk; less than its size where it has holes.
inline uint64_t allocated_bytes(const struct stat& st) { return static_cast<uint64_t>(st.st_blocks) * 512; }

/// The mode of a blob's file.
constexpr mode_t blob_mode(bool executable) { return executable ? 0555 : 0444; }

/// A text as one line of a file: '%', bytes below 0x20 and 0x7f are written %XX; and back.
std::string quoted(const std::string& text);
std::string unquoted(std::string_view quoted);

/// meta: what must outlive a lost index.
struct Meta {
    std::string name;
    Revision revision;
    bool pinned = false;
    int64_t created_unix_s = 0;
};
std::string encode_meta(const Meta& meta);
Meta decode_meta(const std::string& text);
Result<> write_meta(Core& core, const SnapshotInfo& info);

std::unique_ptr<Incoming> make_incoming(Core& core, std::shared_ptr<HoldOnStore> hold);
Result<std::unique_ptr<SnapshotBuilder>> make_builder(Core& core);
std::string tree_path(const Core& core, const SnapshotId& id);

/// Renames out of the way what is wrong; `name` is relative to `dir`.
Result<> put_into_quarantine(Core& core, int dir, const std::string& name, const std::string& why);

}  // namespace zcdp::store
