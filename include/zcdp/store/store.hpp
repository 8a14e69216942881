// The store on disk (docs/design.md section 4, docs/formats.md): content-addressed blobs, snapshots made of hard links
// into them, and an index that can be lost. For whoever opens one; who uses it takes the part that it needs:
// content.hpp, ingest.hpp, snapshots.hpp, leases.hpp, origin_memory.hpp, upkeep.hpp.
//
// One writer per ROOT (StoreMode::write takes the lock); any number of readers. All calls block: call them on a pool.
// Thread rule: Store is safe from any thread (one mutex around the index; file work is outside it).
// Promise: nothing is visible that was not verified and made durable; after kill -9 or power loss at any instant,
// open() brings back a store in which every Ready snapshot is whole.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "zcdp/base/clock.hpp"
#include "zcdp/base/error.hpp"
#include "zcdp/base/fs.hpp"
#include "zcdp/base/log.hpp"
#include "zcdp/base/metrics.hpp"
#include "zcdp/base/random.hpp"
#include "zcdp/store/content.hpp"
#include "zcdp/store/ingest.hpp"
#include "zcdp/store/leases.hpp"
#include "zcdp/store/origin_memory.hpp"
#include "zcdp/store/snapshots.hpp"
#include "zcdp/store/upkeep.hpp"

namespace zcdp::store {

enum class StoreMode { read, write };

struct StoreOptions {
    std::string root;
    StoreMode mode = StoreMode::write;
    uint64_t lock_timeout_ms = 10'000;
    std::string holder;                    ///< written into the lock for whoever waits: "zcdp sync, pid 123"
    std::string socket = {};               ///< into the lock as well: where the holder takes orders for this store
    unsigned high_watermark_percent = 95;  ///< eviction starts here, see design.md section 4
    unsigned low_watermark_percent = 90;
    /// auto: syncfs when ROOT is a mount point of its own, else fsync of each file.
    enum class Barrier { automatic, syncfs, fsync } barrier = Barrier::automatic;
};

class Store : public Content, public Ingest, public Snapshots, public Leases, public OriginMemory, public Upkeep {
  public:
    /// Errors: busy (lock, names its holder), refused (a newer format), denied, no_space, corrupt.
    static Result<std::unique_ptr<Store>> open(StoreOptions options, Fs& fs, Clock& clock, Random& random, Logger& log,
                                               Metrics& metrics);
    virtual const std::string& root() const = 0;
    /// What recovery did at open, one line each; empty after a clean stop.
    virtual const std::vector<std::string>& recovery_notes() const = 0;
};

}  // namespace zcdp::store
