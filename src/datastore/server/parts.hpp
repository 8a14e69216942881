// What the parts of one server share. Thread rule: as each part says; `pool` is where blocks what blocks.
#pragma once

#include <memory>

#include "src/datastore/keys/chunk_index.hpp"
#include "src/datastore/server/budget.hpp"
#include "src/datastore/server/long_contents.hpp"
#include "src/datastore/server/quota.hpp"
#include "src/datastore/server/snapshots_in_use.hpp"
#include "zcdp/base/machine.hpp"
#include "zcdp/datastore/key_index.hpp"
#include "zcdp/datastore/metrics.hpp"
#include "zcdp/datastore/server.hpp"
#include "zcdp/store/store.hpp"

namespace zcdp::datastore {

struct Counts {
    explicit Counts(Metrics& metrics)
        : requests(metrics.counter(metric::requests)),
          refused(metrics.counter(metric::refused)),
          denied(metrics.counter(metric::denied)),
          received_bytes(metrics.counter(metric::received_bytes)),
          sent_bytes(metrics.counter(metric::sent_bytes)),
          copied_bytes(metrics.counter(metric::copied_bytes)),
          versions(metrics.counter(metric::versions)),
          evicted(metrics.counter(metric::evicted)),
          upkeep_errors(metrics.counter(metric::upkeep_errors)),
          keys(metrics.gauge(metric::keys)),
          blob_bytes(metrics.gauge(metric::blob_bytes)),
          uploads(metrics.gauge(metric::uploads)) {}
    Counter &requests, &refused, &denied, &received_bytes, &sent_bytes, &copied_bytes, &versions, &evicted,
        &upkeep_errors, &keys, &blob_bytes, &uploads;
};

struct Parts {
    static constexpr uint64_t kRequestsBytes = 64 << 20;  ///< of memory for bodies, all requests together

    Parts(ServerOptions given, Machine m, asio::thread_pool& threads, std::unique_ptr<store::Store> opened,
          std::unique_ptr<KeyIndex> key_index, std::unique_ptr<ChunkIndex> chunk_index)
        : options(std::move(given)),
          machine(m),
          pool(threads),
          counts(m.metrics),
          store(std::move(opened)),
          keys(std::move(key_index)),
          chunks(std::move(chunk_index)),
          long_contents(*store),
          quota(options.quota_bytes),
          budget(kRequestsBytes) {}

    int64_t now() const { return machine.clock.unix_s(); }

    const ServerOptions options;
    const Machine machine;
    asio::thread_pool& pool;
    Counts counts;
    const std::unique_ptr<store::Store> store;
    const std::unique_ptr<KeyIndex> keys;
    const std::unique_ptr<ChunkIndex> chunks;
    LongContents long_contents;
    /// Held while files are made: they are all made in one folder, on whose lock in the kernel threads would spin.
    Mutex one_stages;
    SnapshotsInUse in_use;
    Quota quota;
    Budget budget;
    /// Takes away at once what only waits for its time; blocks. Set before the first request.
    std::function<void()> make_room;
};

}  // namespace zcdp::datastore
