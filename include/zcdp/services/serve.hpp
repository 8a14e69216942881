// `zcdp serve`: a directory as a read-only S3 bucket, for any S3 client.
//
// A thread a connection, blocking calls, bodies by sendfile(2). Nothing outside of the directory can be reached: every
// open is RESOLVE_BENEATH without symlinks. Thread rule: one owner; stop() from any thread.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "zcdp/base/clock.hpp"
#include "zcdp/base/error.hpp"
#include "zcdp/base/fs.hpp"
#include "zcdp/base/log.hpp"
#include "zcdp/base/metrics.hpp"

namespace zcdp::services {

struct ServeOptions {
    std::string directory;
    std::string bucket = "data";
    std::string listen = "127.0.0.1:9000";  ///< ADDRESS:PORT; port 0 takes a free one
    std::string access_key, secret_key;     ///< both or none; none: everybody may read
    unsigned connections_max = 512;
    unsigned idle_timeout_s = 60;
};

class Server {
  public:
    virtual ~Server() = default;
    /// Binds. Errors: usage (no such address), denied, failed (in use), not_found (no such directory).
    static Result<std::unique_ptr<Server>> open(const ServeOptions& options, Fs& fs, Clock& clock, Metrics& metrics,
                                                Logger& log);
    /// "http://ADDRESS:PORT" as it was bound.
    virtual const std::string& url() const = 0;
    /// Serves until `stop` is set; answers that are under way have two seconds to end.
    virtual Result<> run(const std::atomic<bool>& stop) = 0;
};

}  // namespace zcdp::services
