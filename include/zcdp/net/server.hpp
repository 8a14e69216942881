// One HTTP/1.1 server for control and for bulk: all headers, request bodies as a stream, answers as text, as a stream
// or as a part of a file; over TCP, TLS (with client certificates, where asked for) and unix sockets.
//
// A few loops, each with a thread of its own, read and write; a connection never costs a thread, however slow its peer.
// What blocks (files that are not in memory, handlers that say so) runs on a pool that the caller lends.
//
// Thread rule: Server's methods from any thread. A handler is a coroutine of its connection's loop; it must not block
// there: offload() to a pool. Requests of one connection are answered one after another, those of several at once.
// Ownership: the server ends before its pool, its handler's objects and its logger.
#pragma once

#include <boost/asio/thread_pool.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "zcdp/base/error.hpp"
#include "zcdp/base/fs.hpp"
#include "zcdp/base/log.hpp"
#include "zcdp/base/metrics.hpp"
#include "zcdp/base/tasks.hpp"

namespace zcdp::net::server {

/// Who is at the other end, as far as the transport says.
struct Peer {
    std::string address;           ///< "10.0.0.1"; of a unix socket "uid 1000"
    int uid = -1, gid = -1;        ///< of a unix socket (SO_PEERCRED)
    std::string certificate_name;  ///< the common name of the client's certificate, verified; "" without one
};

/// A request's header. The server fills it, but for `path`, `parameters` and `user`, which a Router does.
struct Request {
    std::string method, target;                                ///< as sent
    unsigned version = 11;                                     ///< 10 or 11
    std::vector<std::pair<std::string, std::string>> headers;  ///< names in lower case, values trimmed
    std::shared_ptr<const Peer> peer;

    std::string path;                                             ///< the target's, percent-decoded
    std::vector<std::pair<std::string, std::string>> query;       ///< decoded, in the order sent
    std::vector<std::pair<std::string, std::string>> parameters;  ///< what a pattern's {NAME}s stand for
    std::string user;                                             ///< as an authenticator found out

    /// "" when it is not there; the first of several.
    std::string_view header(std::string_view name) const;
    /// Of `parameters`; "" when the pattern has no such name.
    std::string_view parameter(std::string_view name) const;
    /// Of `query`, the first; null when it is not there.
    const std::string* query_value(std::string_view name) const;
};

/// A request's body, read as it comes. Belongs to the connection and ends with the handler. A peer that waits for
/// "100 Continue" is sent it at the first read.
class RequestBody {
  public:
    virtual ~RequestBody() = default;
    /// The next piece, "" at the end; it lives until the next call. Errors: refused (over the limit, malformed chunks),
    /// timeout, unreachable (cut off). After an error the server itself answers (413, 400, 408), whatever the handler
    /// returns, and ends the connection.
    virtual Task<Result<std::string_view>> next() = 0;
    /// The same into the caller's memory, which must not be empty: how many bytes, 0 at the end. Much data costs the
    /// fewer calls the more room there is. Errors: as next().
    virtual Task<Result<size_t>> read_some(std::span<char> into) = 0;
    /// All that is left. Errors: as next(); refused: more than `limit_bytes`.
    Task<Result<std::string>> all(uint64_t limit_bytes);

  protected:
    virtual Error too_long() = 0;
};

/// Takes an answer's body, piece by piece. Errors: unreachable (the peer is gone), timeout (it reads nothing).
class BodySink {
  public:
    virtual ~BodySink() = default;
    virtual Task<Result<>> write(std::string_view piece) = 0;
};

/// Writes the whole body. An error ends the connection before the last chunk, so that the peer knows it was cut off.
using Producer = std::function<Task<Result<>>(BodySink& sink)>;

/// [offset, offset + length) of a file, sent by sendfile(2) where there is no TLS. A file that became shorter ends the
/// connection.
struct FileRange {
    Fd file;
    uint64_t offset = 0, length = 0;
    bool only_memory = false;  ///< of a file system that has nothing else (tmpfs): reading it never waits
};

struct Response {
    int status = 200;
    std::string headers;  ///< whole lines, each with its end; without Content-Length, Transfer-Encoding, Connection
    std::variant<std::string, FileRange, Producer> body;
    /// Of a Producer's body, where it is known beforehand: it goes without chunks, and the connection ends where other
    /// than so many bytes are written.
    std::optional<uint64_t> produced_bytes = {};
    std::shared_ptr<const void> held = {};  ///< let go once the body has been sent, or cannot be
    bool is_last = false;                   ///< of its connection, which then ends
};

/// Answers one request. What it throws is logged and answered by 500.
using Handler = std::function<Task<Response>(Request& request, RequestBody& body)>;

struct Options {
    std::string listen;  ///< "ADDRESS:PORT", or "unix:/PATH" (mode 0660)
    bool tls = false;
    std::string certificate_pem, key_pem;  ///< with its chain
    std::string client_ca_pem;             ///< set: who has a certificate of these roots is known by its name
    bool client_certificate_required = false;
    unsigned loops = 1;  ///< threads that read and write
    unsigned connections_max = 256;
    bool refuse_when_full = false;         ///< close what comes over the limit, else it waits in the kernel's queue
    size_t header_bytes_max = 32 << 10;    ///< 431 beyond
    uint64_t body_bytes_max = 8u << 20;    ///< 413 beyond
    uint64_t unread_bytes_max = 1u << 20;  ///< of a body nobody read, to keep its connection
    uint64_t idle_ms = 90'000;             ///< from one request to the next
    uint64_t header_ms = 30'000;           ///< for a header, from its first byte; for a TLS handshake
    uint64_t progress_ms = 30'000;         ///< for the next bytes of a body, of either direction
    Counter* requests_refused = nullptr;   ///< counts what was no request: 400, 408, 413, 417, 431
};

class Server {
  public:
    /// As drain(0).
    virtual ~Server() = default;
    /// Errors: usage (address, certificate), failed (in use).
    static Result<std::unique_ptr<Server>> open(Options options, asio::thread_pool& pool, Handler handler, Logger& log);
    /// New connections are served with this certificate. Errors: usage.
    virtual Result<> set_certificate(const std::string& certificate_pem, const std::string& key_pem) = 0;
    /// The same, and their clients' certificates have to be of these roots from now on. Errors: usage.
    virtual Result<> set_certificate(const std::string& certificate_pem, const std::string& key_pem,
                                     const std::string& client_ca_pem) = 0;
    /// As bound; "" and 0 for unix sockets.
    virtual const std::string& address() const = 0;  ///< "127.0.0.1", "[::1]"
    virtual uint16_t port() const = 0;
    virtual size_t connections() const = 0;
    /// Accepts nothing more, ends idle connections at once, the others with their answer or, after `patience_ms`, in
    /// the middle. Returns when all have ended and their handlers with them.
    virtual void drain(uint64_t patience_ms) = 0;
};

}  // namespace zcdp::net::server
