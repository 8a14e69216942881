// What all loops of one fetch share: where the bytes go, what was done, and the first error.
// Thread rule: any thread.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>

#include "src/sync/fetch/committer.hpp"
#include "src/sync/fetch/feeder.hpp"
#include "zcdp/base/clock.hpp"
#include "zcdp/base/guarded.hpp"
#include "zcdp/base/log.hpp"
#include "zcdp/store/content.hpp"
#include "zcdp/store/ingest.hpp"
#include "zcdp/store/origin_memory.hpp"
#include "zcdp/sync/peers.hpp"
#include "zcdp/sync/sync.hpp"
#include "zcdp/transfer/climbing_limit.hpp"

namespace zcdp::sync {

/// What an object of a SOURCE is called in messages: "gs://bucket/prefix/path", "/dir/path". A SOURCE that is one
/// object itself, or may be one file (a web address), ends at its last '/'.
std::string object_name(const std::string& source, const origin::OriginIdentity& identity, const std::string& path);

/// Where the bytes go and what it takes; all outlive the fetch.
struct FetchContext {
    store::OriginMemory& memory;
    store::Content& content;
    store::Ingest& ingest;
    std::shared_ptr<store::Hold> hold;
    store::Incoming& incoming;
    Committer& committer;
    Feeder& feeder;
    transfer::ClimbingLimit& run_limit;
    transfer::ClimbingLimit& request_limit;  ///< of all reads together, while they are of small objects
    uint32_t connections;                    ///< of all loops; small objects may have more
    asio::thread_pool& disk;
    Fs& fs;
    const Clock& clock;
    Logger& log;
    Progress& progress;
    std::stop_token stop;  ///< of the whole sync; the job ends with it
    origin::OriginIdentity identity;
    std::string source;  ///< as it may be shown
    store::TagScope scope;
    bool verify_parts;             ///< read long files back where that is what a sum of parts needs
    const Peers* peers = nullptr;  ///< null without a swarm
    std::string swarm = {};        ///< its name
    uint64_t pieces = 0;           ///< that it trades
};

struct FetchJob : FetchContext {
    explicit FetchJob(FetchContext context)
        : FetchContext(std::move(context)), on_stop_(stop, [this] { ending_.request_stop(); }) {}

    std::atomic<uint64_t> objects_fetched{0}, bytes_fetched{0};
    std::atomic<uint64_t> objects_received{0}, bytes_received{0};  ///< from members of the swarm
    std::atomic<uint64_t> objects_matched{0}, bytes_matched{0};    ///< candidates that were the same content
    std::atomic<uint32_t> active{0};                               ///< reads in flight
    std::atomic<uint32_t> runs{0};                                 ///< of them, runs of chunks

    std::string key(const std::string& path) const { return identity.prefix + path; }
    store::PartialKey partial_key(const origin::Entry& entry) const {
        return store::ByTag{scope, key(entry.path), entry.tag};
    }
    std::string name(const std::string& path) const { return object_name(source, identity, path); }

    /// As the climbing limits count it.
    uint64_t now_ns() const { return static_cast<uint64_t>(clock.monotonic_ns()); }

    /// Keeps the first error, and makes every loop end.
    void fail(Error error);
    /// Stopped, or failed.
    bool ended() const { return ending_.stop_requested(); }
    std::stop_token ending() const { return ending_.get_token(); }
    std::optional<Error> error() const;

  private:
    std::stop_source ending_;
    mutable Mutex mutex_;
    std::optional<Error> error_ ZCDP_GUARDED_BY(mutex_);
    std::stop_callback<std::function<void()>> on_stop_;
};

}  // namespace zcdp::sync
