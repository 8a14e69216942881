// The data store's server: keys, versions and their bytes over HTTP (docs/formats.md, "Between clients and data
// stores"), on a store of its own. `zcdp metadata-server` is around it.
//
// Promise: what a commit was answered for survives kill -9 and power loss; a reader sees a whole version, and finishes
// the one it is in the middle of. Thread rule: one owner; look_after() from any thread. Ownership: it owns the store.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

#include "zcdp/base/error.hpp"
#include "zcdp/base/machine.hpp"

namespace zcdp::datastore {

/// What is done to a key.
enum class Verb : uint8_t { list, get, put, remove };

/// Whether `user` may do that to `key` ("": all keys; of `list` what lies below it). Called on the server's loops; must
/// not block. Who may not read is answered as if there were nothing.
using Authoriser = std::function<bool(std::string_view user, Verb verb, std::string_view key)>;

/// How long what is needed no more stays; tests shorten it.
struct ServerTimes {
    uint64_t upload_idle_s = 3600;  ///< an upload that nobody spoke to
    uint64_t reader_grace_s = 600;  ///< a version that is removed, or fell out of the history, since it was read last
    uint64_t orphan_grace_s = 600;  ///< a snapshot that was made and that no key came to point at
    uint64_t blob_grace_s = 3600;   ///< a content that no snapshot needs
    uint64_t partial_grace_s = 86'400;  ///< the chunks of a long file whose upload does not go on
};

struct ServerOptions {
    std::string root;
    std::string listen = "127.0.0.1:7480";   ///< ADDRESS:PORT; port 0 takes a free one
    std::string token_file;                  ///< each line is a token that counts; "": anybody of this machine
    std::string certificate_file, key_file;  ///< PEM; both or none; none: no TLS
    uint64_t keep_versions = 10;
    uint64_t quota_bytes = 0, quota_keys = 0;  ///< 0: none
    unsigned connections_max = 4096;
    Authoriser authorise = {};  ///< unset: who has a token may do everything
    ServerTimes times = {};
};

class Server {
  public:
    virtual ~Server() = default;
    /// Opens the store and binds. Errors: usage (address, certificate, no token on an address that others reach),
    /// refused (a file system that does not do, a store whose keys are lost), busy, denied, failed (in use).
    static Result<std::unique_ptr<Server>> open(ServerOptions options, Machine machine);
    /// "http[s]://ADDRESS:PORT" as it was bound.
    virtual const std::string& url() const = 0;
    /// Serves and looks after the store until `stop` is set; answers that are under way have a moment to end.
    virtual Result<> run(std::stop_token stop) = 0;
    /// Does all at once that is due: ends idle uploads, removes what is over, takes away what is needed no more.
    virtual void look_after() = 0;
};

}  // namespace zcdp::datastore
