// One sync: a SOURCE into the store, or into a directory, or both (docs/design.md section 5).
//
// list -> plan -> fetch -> verify -> tree -> promote. run() blocks the calling thread; it makes its own loops and
// pools, and everything it started has ended when it returns. Progress may be read, and the work stopped, from any
// thread meanwhile.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "zcdp/base/error.hpp"
#include "zcdp/base/guarded.hpp"
#include "zcdp/base/ids.hpp"
#include "zcdp/origin/options.hpp"
#include "zcdp/swarm/session_state.hpp"

namespace zcdp::store {
class Store;
}

namespace zcdp::sync {

struct Peers;

enum class Placement {
    automatic,  ///< reflink where the file system can, else copy
    copy,
    /// Hard links into the store: the files are read-only, and a writer with root's rights would change the store.
    link,
};

struct SyncOptions {
    std::string source;  ///< as written: "s3://models/llama-3/", "/mnt/nas/imagenet"
    std::string dest;    ///< empty: the store only
    Placement placement = Placement::automatic;
    bool no_store = false;      ///< dest without a store: each byte is written once, nothing is kept elsewhere
    bool delete_extra = false;  ///< remove from dest what zcdp put there and the source has no more
    bool dry_run = false;
    std::vector<std::string> include, exclude;  ///< globs over paths, see filter.hpp; an exclude wins
    bool verify_parts = false;   ///< compare SHA-256 and SHA-1 of parts of any size, for which long files are read back
    bool skip_bad_keys = false;  ///< leave keys that are no paths out, counted and named, instead of refusing all
    uint32_t connections = 0;    ///< reads at once; 0: 32, and up to 256 of small objects while that brings more
    uint64_t memory_bytes = 32ull << 20;  ///< transfer buffers; at least 4 MiB
    uint32_t loops = 0;                   ///< network threads; 0: as many as cores, at most 4
    uint64_t lock_timeout_ms = 10'000;    ///< to wait for another run into the same dest
    Revision expected_revision;           ///< not empty: a listing that gives another one is source_changed
    const Peers* peers = nullptr;         ///< other nodes are asked before the origin; null: the origin alone
};

struct SyncReport {
    std::string snapshot;  ///< id; empty after a dry run that would fetch
    Revision revision;
    std::string path;                                   ///< the ready tree, or dest
    uint64_t objects = 0;                               ///< files of the source that were wanted
    uint64_t bytes = 0;                                 ///< of them
    uint64_t objects_fetched = 0, bytes_fetched = 0;    ///< over the network, or read from a local origin
    uint64_t objects_received = 0, bytes_received = 0;  ///< from other nodes
    uint64_t objects_reused = 0, bytes_reused = 0;
    uint64_t skipped = 0;                     ///< keys left out because they are no paths
    std::vector<std::string> skipped_keys;    ///< the first 100 of them, printable, with the reason
    uint64_t removed = 0, bytes_removed = 0;  ///< from dest
    uint64_t requests = 0, retries = 0;
    double seconds = 0;
    bool dry_run = false;
};

enum class Phase {
    listing,
    planning,
    fetching,
    building,
    placing,
    hashing,  ///< of a put into a data store, which has no other phases but listing and done
    sending,
    done
};

/// Counters that run() keeps while it works. Thread rule: any thread reads.
struct Progress {
    std::atomic<Phase> phase{Phase::listing};
    std::atomic<uint64_t> objects_listed{0};
    std::atomic<uint64_t> objects_total{0}, objects_done{0};  ///< of what is to be fetched
    std::atomic<uint64_t> bytes_total{0}, bytes_done{0};
    std::atomic<uint64_t> bytes_received{0};  ///< from other nodes
    std::atomic<uint64_t> bytes_reused{0}, objects_reused{0};
    std::atomic<uint32_t> connections{0};                      ///< reads in flight now
    std::atomic<uint64_t> files_placed{0}, files_to_place{0};  ///< building and placing
    std::atomic<uint64_t> bytes_placed{0}, bytes_to_place{0};  ///< placing

    struct LongFile {
        std::string path;
        uint64_t bytes_done, bytes_total;
    };
    /// Files of more than one chunk that are in flight now, in the order they were begun.
    std::vector<LongFile> long_files() const;
    void begin_long_file(const std::string& path, uint64_t bytes_total, uint64_t bytes_done);
    /// Back, with less than 0, when bytes have to come again.
    void advance_long_file(const std::string& path, int64_t bytes);
    void end_long_file(const std::string& path);

    /// How the swarm goes, or went last; nullopt without one.
    std::optional<swarm::SessionState> swarm() const;
    void say_swarm(const swarm::SessionState& state);

  private:
    mutable Mutex mutex_;
    std::vector<LongFile> long_files_ ZCDP_GUARDED_BY(mutex_);
    std::optional<swarm::SessionState> swarm_ ZCDP_GUARDED_BY(mutex_);
};

/// Source, dest and store must lie apart, also through symlinks and mounts; nothing is made or changed. `store_root` is
/// empty with no_store. Errors: usage, naming the two that overlap.
Result<> check_places(const SyncOptions& options, const std::string& store_root, const origin::OriginFactory& origin,
                      Machine machine);

/// `store` is null only with no_store. Once stopped it ends within two seconds, keeps what was verified, and returns
/// `interrupted`. Errors: as of origin and store; refused names the first bad key and how many.
Result<SyncReport> run(const SyncOptions& options, store::Store* store, const origin::OriginFactory& origin,
                       Machine machine, Progress& progress, std::stop_token stop);

struct ListingSummary {
    Revision revision;
    uint64_t objects = 0, bytes = 0;
    uint64_t refused = 0;                   ///< with skip_bad_keys: what was left out because it cannot be in a tree
    std::vector<std::string> refused_keys;  ///< the first 100 of them, printable, with the reason
};

/// Only lists: what the source has, as one revision. `each`, if set, is called for every entry, in order, once all is
/// listed; an error of it ends the listing. `scratch_folder` takes the list meanwhile. Errors: as run().
Result<ListingSummary> list_source(const SyncOptions& options, const origin::OriginFactory& origin, Machine machine,
                                   const std::string& scratch_folder, Progress& progress, std::stop_token stop,
                                   const std::function<Result<>(origin::Entry&)>& each);

}  // namespace zcdp::sync
