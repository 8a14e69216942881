// An HTTP/1.1 server for control traffic: health, metrics, the webhook, the agent's socket. Bulk data does not pass
// here.
//
// One loop on a thread of its own reads and writes, with deadlines; handlers run on a small pool and may block. A body
// may be streamed: the handler then writes pieces while the peer reads them.
// Thread rule: handlers are called from any of the pool's threads, at once. Destroying it ends every connection and
// waits for the handlers.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "zcdp/base/error.hpp"
#include "zcdp/base/log.hpp"

namespace zcdp::net {

struct ServerRequest {
    std::string method, target, body, peer;
    std::string authorization;         ///< the header, or ""
    int peer_uid = -1, peer_gid = -1;  ///< of a unix socket's peer (SO_PEERCRED)
};

/// Takes a streamed body piece by piece.
class BodyWriter {
  public:
    virtual ~BodyWriter() = default;
    /// Blocks until the piece is with the kernel; false when the peer is gone.
    virtual bool write(std::string_view piece) = 0;
};

struct ServerResponse {
    int status = 200;
    std::string content_type = "application/json";
    std::string body;
    std::function<void(BodyWriter&)> stream;  ///< set: called for the body instead
};

using ServerHandler = std::function<ServerResponse(const ServerRequest&)>;

struct HttpServerOptions {
    std::string listen;  ///< "ADDRESS:PORT", or "unix:/PATH" (mode 0660)
    bool tls = false;
    std::string certificate_pem, key_pem;
    size_t body_max_bytes = 8u << 20;
    unsigned handlers = 4;  ///< threads
    unsigned connections_max = 256;
    unsigned timeout_s = 30;  ///< for a request to arrive and for each write
};

class HttpServer {
  public:
    virtual ~HttpServer() = default;
    /// Errors: usage (address, certificate), failed (in use).
    static Result<std::unique_ptr<HttpServer>> open(HttpServerOptions options, ServerHandler handler, Logger& log);
    /// New connections are served with this certificate.
    virtual Result<> set_certificate(const std::string& certificate_pem, const std::string& key_pem) = 0;
    virtual uint16_t port() const = 0;  ///< as bound; 0 for unix sockets
};

}  // namespace zcdp::net
