// `zcdp serve`: a directory as a read-only S3 bucket, or a store's snapshots as a bucket each, for any S3 client.
//
// Answers go through net::server: a connection costs no thread, bodies are sent by sendfile(2). Nothing outside of the
// directory can be reached: every open is RESOLVE_BENEATH without symlinks. Thread rule: one owner.
#pragma once

#include <memory>
#include <stop_token>
#include <string>

#include "zcdp/base/clock.hpp"
#include "zcdp/base/error.hpp"
#include "zcdp/base/fs.hpp"
#include "zcdp/base/log.hpp"
#include "zcdp/base/metrics.hpp"
#include "zcdp/store/snapshots.hpp"

namespace zcdp::services {

struct ServeOptions {
    std::string directory;
    std::string bucket = "data";
    std::string listen = "127.0.0.1:9000";   ///< ADDRESS:PORT; port 0 takes a free one
    std::string access_key, secret_key;      ///< both or none; none: everybody may read
    std::string certificate_file, key_file;  ///< PEM; both or none; none: no TLS
    unsigned connections_max = 4096;
    unsigned idle_timeout_s = 60;
};

class Server {
  public:
    virtual ~Server() = default;
    /// Binds. `store`, if there is one (opened for reading), is shown instead of the directory. Errors: usage (no such
    /// address, certificate), denied, failed (in use), not_found (no such directory).
    static Result<std::unique_ptr<Server>> open(const ServeOptions& options, Fs& fs, Clock& clock, Metrics& metrics,
                                                Logger& log, std::unique_ptr<store::Snapshots> store = nullptr);
    /// "http[s]://ADDRESS:PORT" as it was bound.
    virtual const std::string& url() const = 0;
    /// Serves until `stop` is set; answers that are under way have two seconds to end.
    virtual Result<> run(std::stop_token stop) = 0;
};

}  // namespace zcdp::services
