// Gets what a key points at: into a file or a directory, verified, only what is not there yet; or onto a stream.
//
// One version is read from beginning to end: a reader of the present version that goes meanwhile begins again with the
// new one, a reader of a named one is told. What was interrupted goes on where it was. Both calls block, make loops of
// their own, and have ended all that they began when they return; progress may be read, and the work stopped, from any
// thread meanwhile. Errors: usage and refused (the key, DEST), not_found, denied, and all that a sync ends with.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "zcdp/base/error.hpp"
#include "zcdp/base/machine.hpp"
#include "zcdp/datastore/client.hpp"
#include "zcdp/sync/sync.hpp"

namespace zcdp::datastore {

struct GetOptions {
    std::string key;                            ///< as it was written: "a/b", "a/b@2"; "a/": all keys below it
    std::string dest;                           ///< as it was written; "": ./LAST-SEGMENT
    bool delete_extra = false;                  ///< of a directory: remove what zcdp put there and the key has no more
    bool dry_run = false;                       ///< only count
    std::vector<std::string> include, exclude;  ///< of a directory: globs over its paths (zcdp/sync/filter.hpp)
    uint64_t lock_timeout_ms = 10'000;          ///< to wait for another run into the same DEST
};

/// A key that was got.
struct GotKey {
    std::string key;
    uint64_t version = 0;
    KeyKind kind = KeyKind::tree;
    std::string snapshot;
    std::string path;               ///< absolute, on this machine; "" for a stream
    uint64_t files = 0, bytes = 0;  ///< that it has
};

struct GetReport {
    std::vector<GotKey> keys;  ///< one, or those below the prefix
    bool is_prefix = false;
    std::string path;                               ///< absolute; "" for a stream
    uint64_t files = 0, bytes = 0;                  ///< of all keys, that were wanted
    uint64_t files_fetched = 0, bytes_fetched = 0;  ///< over the network
    uint64_t removed = 0;                           ///< files, from DEST
    uint64_t requests = 0, retries = 0;
    double seconds = 0;
    bool dry_run = false;
};

/// Into options.dest, by the rule for slashes (docs/datastore.md).
Result<GetReport> get(const ServerAccess& access, const GetOptions& options, Machine machine, sync::Progress& progress,
                      std::stop_token stop);

/// Takes a stream's next bytes; blocks. An error ends the stream.
using ByteSink = std::function<Result<>(std::span<const std::byte> bytes)>;

/// A file's bytes, or a directory as a tar stream, in order, each chunk verified before it is handed out. What is in
/// `options` of DEST says nothing here. `take` is called from one thread.
Result<GetReport> get_stream(const ServerAccess& access, const GetOptions& options, Machine machine,
                             sync::Progress& progress, const ByteSink& take, std::stop_token stop);

}  // namespace zcdp::datastore
