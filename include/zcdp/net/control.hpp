// A server for control traffic: handlers are plain functions that may block, each on a thread of a small pool. A body
// may be streamed: the handler then writes pieces while the peer reads them.
//
// Thread rule: handlers are called from any of the pool's threads, at once. Destroying it ends every connection and
// waits for the handlers.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "zcdp/net/router.hpp"
#include "zcdp/net/server.hpp"

namespace zcdp::net::server {

/// Takes a streamed body piece by piece.
class BodyWriter {
  public:
    virtual ~BodyWriter() = default;
    /// Blocks until the piece is with the kernel; false when the peer is gone.
    virtual bool write(std::string_view piece) = 0;
};

struct ControlResponse {
    int status = 200;
    std::string content_type = "application/json";
    std::string body;
    std::function<void(BodyWriter&)> stream = {};  ///< set: called for the body instead
    bool is_last = false;                          ///< of its connection: who asks again asks on another
};

/// `body`: the whole of it.
using ControlHandler = std::function<ControlResponse(const Request& request, const std::string& body)>;
/// As Check: a response is the answer.
using ControlCheck = std::function<std::optional<ControlResponse>(Request& request)>;

/// The routes of a control server.
class ControlRouter {
  public:
    /// As Router's; `authenticate` may be empty.
    ControlRouter& add(std::string method, std::string pattern, ControlHandler handler, ControlCheck authenticate = {});
    ControlRouter& otherwise(ControlHandler handler);

  private:
    friend class ControlServer;
    struct Route {
        std::string method, pattern;
        ControlHandler handler;
        ControlCheck authenticate;
    };
    std::vector<Route> routes_;
    ControlHandler otherwise_;
};

class ControlServer {
  public:
    /// `threads`: of the pool. Errors: as Server::open.
    static Result<std::unique_ptr<ControlServer>> open(Options options, unsigned threads, ControlRouter router,
                                                       Logger& log);
    ~ControlServer();
    ControlServer(const ControlServer&) = delete;
    ControlServer& operator=(const ControlServer&) = delete;
    Result<> set_certificate(const std::string& certificate_pem, const std::string& key_pem) {
        return server_->set_certificate(certificate_pem, key_pem);
    }
    uint16_t port() const { return server_->port(); }

  private:
    ControlServer(unsigned threads, uint64_t body_bytes_max) : pool_(threads), body_bytes_max_(body_bytes_max) {}
    Handler blocking(ControlHandler handler);
    Check blocking_check(ControlCheck check);
    Task<Response> answer(const ControlHandler& handler, Request& request, RequestBody& body);
    asio::thread_pool pool_;
    const uint64_t body_bytes_max_;
    Router router_;
    std::unique_ptr<Server> server_;
};

}  // namespace zcdp::net::server
