// Puts a directory, a file or standard input under a key: what the server lacks is sent, then the key is switched
// (docs/datastore.md).
//
// Thread rule: put() blocks the calling thread, and makes its own loop and threads, which have ended when it returns.
// Progress may be read, and the work stopped, from any thread meanwhile.
#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "zcdp/base/error.hpp"
#include "zcdp/base/machine.hpp"
#include "zcdp/datastore/client.hpp"
#include "zcdp/sync/sync.hpp"

namespace zcdp::datastore {

struct PutOptions {
    std::string key;                            ///< as key_to_put() has it
    std::string source;                         ///< a path of this machine; "-": `input`
    int input = 0;                              ///< a descriptor that is read to its end
    std::vector<std::string> include, exclude;  ///< globs over paths, see sync/filter.hpp; an exclude wins
    bool force = false;                         ///< read every file, and make a version also when nothing changed
    bool dry_run = false;                       ///< only find out what would be sent
    std::optional<uint64_t> if_version;         ///< the key's version has to be this one; 0: there must be none
    std::optional<uint64_t> ttl_s;              ///< the key goes after so many seconds
    unsigned threads = 0;                       ///< that hash; 0: as many as cores, at most 4
};

struct PutReport {
    std::string key, snapshot;
    KeyKind kind = KeyKind::tree;
    uint64_t version = 0;           ///< after a dry run: the present one, 0 for none
    uint64_t files = 0, bytes = 0;  ///< of all that the version has
    uint64_t bytes_sent = 0;        ///< of contents; after a dry run: that would be
    uint64_t chunks_sent = 0;       ///< whole short contents, and chunks of long ones
    bool unchanged = false;         ///< the key had that content, and has it under the same version
    bool dry_run = false;
    double seconds = 0;

    /// As docs/datastore.md has it.
    std::string json() const;
};

/// A put that was stopped or killed is gone on with by the next one: what the server has is not sent again. A file that
/// changes meanwhile is looked at once more. Errors: refused (what cannot be put, with a count), denied, no_space (also
/// a quota), source_changed (a file that changes all the time; another wrote the key since `if_version`), interrupted,
/// and those of Client.
Result<PutReport> put(const ServerAccess& access, const PutOptions& options, Machine machine, sync::Progress& progress,
                      std::stop_token stop);

}  // namespace zcdp::datastore
