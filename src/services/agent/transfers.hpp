// Brings datasets into the node's store: one sync a NodeDataset, so many at once, tried again with growing pauses.
//
// Thread rule: any thread. Each transfer runs on a thread of its own (sync::run blocks). Destroying it stops all of
// them and waits; what was verified stays for the next time.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "src/services/backend/backend_access.hpp"
#include "zcdp/api/types.hpp"
#include "zcdp/base/backoff.hpp"
#include "zcdp/base/guarded.hpp"
#include "zcdp/base/machine.hpp"
#include "zcdp/store/snapshots.hpp"
#include "zcdp/sync/peers.hpp"
#include "zcdp/sync/sync.hpp"

namespace zcdp::services::agent {

enum class TransferPhase { waiting, running, ready, failed };

/// A moment of one transfer.
struct TransferView {
    TransferPhase phase = TransferPhase::waiting;
    std::string snapshot;  ///< once ready
    uint64_t bytes_done = 0, bytes_total = 0, objects_total = 0;
    uint64_t origin_bytes = 0, peer_bytes = 0, reused_bytes = 0, size_bytes = 0;
    std::optional<swarm::SessionState> swarm;  ///< of the last attempt
    double bytes_per_second = 0;
    int64_t started_unix_s = 0, finished_unix_s = 0;
    std::optional<Error> error;  ///< of the last attempt, while it has not succeeded since
    int64_t error_unix_s = 0;
    uint32_t attempts = 0;
    int64_t retry_in_ms = 0;  ///< phase failed
};

class Transfers {
  public:
    struct Parts {
        store::Store& store;
        Machine machine;
        Metrics& metrics;
        Logger& log;
        /// The other nodes that it may be had from; null, or none: the origin alone. Called on the transfer's thread.
        std::function<std::optional<sync::Peers>(const api::NodeDataset&)> peers_of = nullptr;
    };
    /// Resolves a NodeDataset's backend: called on the transfer's thread.
    using Resolve = std::function<Result<backend::BackendAccess>(const api::NodeDataset&)>;
    /// Makes the origin whose listing is the controller's, or the plain one. What it counts in this machine's metrics
    /// has the dataset's labels; these end with the attempt.
    using MakeOrigin =
        std::function<Result<origin::OriginFactory>(const api::NodeDataset&, const backend::BackendAccess&, Machine)>;

    Transfers(Parts parts, Resolve resolve, MakeOrigin make_origin, unsigned at_once,
              std::function<void(const std::string& name)> changed);
    ~Transfers();

    /// Wants this NodeDataset here. Does nothing when it is under way, ready, or waiting for its next attempt.
    void ensure(const api::NodeDataset& wanted);
    /// As ensure, for one that is known to be in the store.
    void adopt(const std::string& name, const std::string& snapshot, uint64_t size_bytes);
    /// Stops it and forgets it; blocks until its thread has ended. The snapshot that it has made, "" when it has not.
    std::string forget(const std::string& name);
    std::optional<TransferView> view(const std::string& name) const;
    /// Counts transfers that ended, well or not; waits until it is no longer `seen`, at most `ms`.
    uint64_t changes() const;
    void wait_for_change(uint64_t seen, uint64_t ms);
    size_t active() const;

  private:
    struct Transfer {
        api::NodeDataset wanted;
        TransferView view;
        std::unique_ptr<sync::Progress> progress;
        std::stop_source stop{std::nostopstate};
        std::thread thread;
        bool thread_done = false;
        Backoff backoff{{1'000, 120'000, Jitter::around}};
        int64_t retry_at_ns = 0;
    };
    void run(std::string name, api::NodeDataset wanted, sync::Progress& progress, std::stop_token stop);
    Result<sync::SyncReport> attempt(const api::NodeDataset& wanted, sync::Progress& progress, std::stop_token stop);
    void finish(const std::string& name, Result<sync::SyncReport> done, double seconds);
    Parts parts_;
    const Resolve resolve_;
    const MakeOrigin make_origin_;
    const unsigned at_once_;
    const std::function<void(const std::string&)> changed_;
    mutable Mutex mutex_;
    ConditionVariable change_;
    uint64_t changes_ ZCDP_GUARDED_BY(mutex_) = 0;
    std::map<std::string, Transfer> transfers_ ZCDP_GUARDED_BY(mutex_);
    unsigned running_ ZCDP_GUARDED_BY(mutex_) = 0;
};

}  // namespace zcdp::services::agent
