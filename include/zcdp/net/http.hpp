// An HTTP/1.1 client for many requests to few hosts: a keep-alive pool over all addresses of a name, TLS, deadlines,
// a minimum rate, limits on every header and body, and bodies that land in the caller's buffer straight off the socket.
//
// Thread rule: an HttpClient and everything it returns belong to the loop (executor) they were made on.
// Ownership: the client must outlive its responses; a Response that is destroyed before its end closes its connection.
// No redirect is ever followed here, and no retry is made, but two, of GET and HEAD alone: a request on a kept-alive
// connection that the peer had closed before any byte of an answer is sent once more on a fresh one (RFC 9112 9.3.1),
// and one to an address that says nothing while the name's other addresses answer is sent to another of them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "zcdp/base/clock.hpp"
#include "zcdp/base/error.hpp"
#include "zcdp/base/fs.hpp"
#include "zcdp/base/log.hpp"
#include "zcdp/base/metrics.hpp"
#include "zcdp/base/tasks.hpp"
#include "zcdp/net/endpoint.hpp"
#include "zcdp/net/tls.hpp"

namespace zcdp::net {

using Header = std::pair<std::string, std::string>;

/// Bytes, and after them a part of a file, which is never held in memory as a whole: without TLS it is sent by
/// sendfile(2). Both are shared, so that a request that may be sent again costs no copy of them.
struct BodyPart {
    std::shared_ptr<const std::string> bytes;  ///< null: none
    std::shared_ptr<const Fd> file;            ///< null: the bytes alone
    uint64_t offset_bytes = 0, length_bytes = 0;

    uint64_t size_bytes() const { return (bytes ? bytes->size() : 0) + length_bytes; }
};

struct Request {
    std::string method = "GET";
    std::string target = "/";     ///< path and query, already percent-encoded
    std::vector<Header> headers;  ///< without Host, Content-Length and Connection
    std::string body;
    std::vector<BodyPart> parts;  ///< what follows `body`
    /// Longest wait for the peer to take more of the request, for the header, and for any next byte of the body; 0: the
    /// client's limits
    uint32_t silence_ms = 0;

    /// Of `body` and `parts` together.
    uint64_t body_bytes() const;
};

struct Limits {
    uint32_t connect_timeout_ms = 10'000;  ///< resolve + connect + TLS handshake, per address tried
    uint32_t header_timeout_ms = 30'000;   ///< from the request's last byte to the answer's header
    uint32_t idle_keep_ms = 50'000;        ///< an idle connection is dropped after this
    /// A connection has ended when the other machine's kernel has said nothing for so long, not even to a probe;
    /// whether it has anything to say does not matter. In whole seconds; 0: the system's times
    uint32_t probe_timeout_ms = 0;
    /// A body slower than this over the window is a timeout; 0: one byte will do
    uint32_t min_bytes_per_second = 64 * 1024;
    uint32_t min_rate_window_ms = 10'000;
    uint32_t header_bytes_max = 32 * 1024;
    uint32_t header_fields_max = 128;
    uint32_t connections_max = 64;  ///< of this client, all addresses together
};

/// An answer whose header has been read. With the last byte of the body the connection goes back to the pool; destroyed
/// before that, it is closed.
class Response {
  public:
    virtual ~Response() = default;
    virtual int status() const = 0;
    /// The first header of this name (any case); empty when there is none.
    virtual std::string_view header(std::string_view name) const = 0;
    /// Content-Length, if the answer has a body of known length (0 for HEAD, 204, 304).
    virtual std::optional<uint64_t> body_bytes() const = 0;
    /// Up to into.size() bytes of the body, 0 at its end. Errors: timeout (deadline, minimum rate), failed (closed
    /// early: "truncated", malformed chunking). Bytes after Content-Length are never delivered.
    virtual Task<Result<size_t>> read_some(std::span<std::byte> into) = 0;
    /// The rest of the body, refused when it is longer than `limit_bytes`.
    virtual Task<Result<std::string>> read_all(size_t limit_bytes) = 0;
    /// "ADDRESS:PORT" of the peer, for messages.
    virtual const std::string& peer() const = 0;
};

class HttpClient {
  public:
    virtual ~HttpClient() = default;
    /// Sends and reads the answer's header. `deadline` also bounds the reading of the body.
    /// Errors, naming the proxy if any: unreachable (resolve, connect, TLS, with every address's reason), denied (its
    /// 407), timeout, stalled (the request's silence_ms; also from the body's reads, and there also when other
    /// addresses of the name are much quicker), failed (malformed answer).
    virtual Task<Result<std::unique_ptr<Response>>> send(Endpoint endpoint, Request request, Deadline deadline) = 0;
    /// Closes idle connections and makes later sends fail.
    virtual void close() = 0;
};

/// What several clients of one source know of its addresses. Any thread.
class AddressNotes;
std::shared_ptr<AddressNotes> make_address_notes();

struct HttpClientOptions {
    Limits limits;
    AddressRules address_rules;  ///< a proxy's addresses must keep to them, too
    Proxies proxies;
    std::shared_ptr<TlsContext> tls;  ///< may be null when no endpoint is https
    std::string user_agent;
    std::shared_ptr<AddressNotes> address_notes;  ///< may be null
    /// An IP address of this machine; only peers of its family are tried. "": the system's choice
    std::string source_address;
};

/// `clock` says how fast addresses answer, and what is too old to be used again; it, `metrics` and `log` must outlive
/// the client.
std::unique_ptr<HttpClient> make_http_client(asio::any_io_executor executor, HttpClientOptions options,
                                             const Clock& clock, Metrics& metrics, Logger& log);

}  // namespace zcdp::net
