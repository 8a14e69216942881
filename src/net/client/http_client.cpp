// The client: connections from the pool (pool.hpp) or new ones, spread over those of a name's addresses that serve well
// (address_book.hpp); requests go out here, answers are read in http_response.cpp.
#include <algorithm>

#include "src/net/client/http_response.hpp"
#include "src/net/client/pool.hpp"
#include "src/net/client/resolver.hpp"
#include "zcdp/net/http.hpp"
#include "zcdp/net/metrics.hpp"

namespace zcdp::net {
namespace {

constexpr uint64_t kAddressesKeptMs = 30'000;
/// A request waits this long for one address. Then, and again each time as much has passed, the address book says
/// whether the other addresses have answered others meanwhile; if they have, the request is sent to one of them.
constexpr uint64_t kLookElsewhereMs = 500;
/// When a request cannot be written because the peer has closed, this long is given to reading what it sent before: it
/// may be the TLS alert that says why.
constexpr uint64_t kLastWordsMs = 1'000;
/// A connection that is not made within this time is given up where the name has other addresses to try.
constexpr uint64_t kConnectElsewhereMs = 2'000;

class Client final : public HttpClient {
  public:
    Client(asio::any_io_executor executor, HttpClientOptions options, const Clock& clock, Metrics& metrics, Logger& log)
        : pool_(std::make_shared<Pool>(executor, std::move(options), clock)),
          connects_(metrics.counter(metric::connections)),
          log_(log) {
        boost::system::error_code code;
        pool_->from = asio::ip::make_address(pool_->options.source_address, code);  // checked where it was written
    }
    ~Client() override { close(); }

    void close() override {
        pool_->closed = true;
        for (auto& [endpoint, host] : pool_->hosts) host.idle.clear();
        pool_->ticker->stop();
    }

    Task<Result<std::unique_ptr<Response>>> send(Endpoint endpoint, Request request, Deadline deadline) override;

  private:
    struct Answer {
        ResponseHeader header;
        bool silent = false;  ///< the connection ended before a byte of an answer
        bool moved = false;   ///< no answer, but other addresses give some
    };
    std::string wire_form(const Endpoint& endpoint, const Request& request) const;
    std::unique_ptr<Connection> take_idle(Host& host);
    Task<Result<std::unique_ptr<Connection>>> connect(Endpoint endpoint, Deadline deadline);
    /// What came of one address.
    struct Attempt {
        Result<std::unique_ptr<Connection>> connection;
        /// An error that every other address would give as well: the server refuses who we are, or no TLS can be
        /// spoken from here.
        bool is_final = false;
    };
    Task<Attempt> connect_to(const Endpoint& endpoint, const Proxy* proxy, std::shared_ptr<Address> address,
                             Deadline deadline);
    Task<Result<>> open_tunnel(const Endpoint& endpoint, const Proxy& proxy, Connection& connection, Deadline deadline);
    bool allowed(const Endpoint& endpoint, const std::string& address) const;
    /// `book`: where it is written how the address serves; null: nowhere. `may_move`: another may be asked when it is
    /// silent.
    Task<Result<Answer>> exchange(Connection& connection, std::string_view bytes, std::span<const BodyPart> parts,
                                  uint32_t silence_ms, Deadline deadline, AddressBook* book = nullptr,
                                  bool may_move = false);
    Task<Result<Answer>> last_words(Connection& connection, Deadline deadline);

    std::shared_ptr<Pool> pool_;
    Counter& connects_;
    Logger& log_;
};

void append_authorization(std::string& out, const Proxy& proxy) {
    if (!proxy.authorization.empty()) out.append("Proxy-Authorization: ").append(proxy.authorization).append("\r\n");
}

std::string Client::wire_form(const Endpoint& endpoint, const Request& request) const {
    std::string out;
    out.reserve(512 + request.target.size() + request.body.size());
    const Proxy* proxy = endpoint.tls ? nullptr : pool_->options.proxies.for_endpoint(endpoint);  // TLS has a tunnel
    out.append(request.method).append(" ").append(proxy ? endpoint.url() : "").append(request.target);
    out.append(" HTTP/1.1\r\nHost: ").append(endpoint.authority()).append("\r\n");
    if (proxy) append_authorization(out, *proxy);
    if (!pool_->options.user_agent.empty()) out.append("User-Agent: ").append(pool_->options.user_agent).append("\r\n");
    for (const auto& [name, value] : request.headers) out.append(name).append(": ").append(value).append("\r\n");
    const uint64_t body_bytes = request.body_bytes();
    if (body_bytes > 0 || (request.method != "GET" && request.method != "HEAD"))
        out.append("Content-Length: ").append(std::to_string(body_bytes)).append("\r\n");
    return out.append("\r\n").append(request.body);
}

std::unique_ptr<Connection> Client::take_idle(Host& host) {
    const uint64_t now_ns = pool_->now_ns(), keep_ns = pool_->options.limits.idle_keep_ms * 1'000'000ull;
    std::erase_if(host.idle, [&](const auto& connection) { return now_ns - connection->idle_since_ns > keep_ns; });
    while (!host.idle.empty()) {
        auto connection = std::move(host.idle.back());
        host.idle.pop_back();
        if (!connection->address->avoided && !connection->transport.readable_now()) return connection;
    }
    return nullptr;
}

/// CONNECT (RFC 9110 9.3.6): after its answer the connection is the endpoint's.
Task<Result<>> Client::open_tunnel(const Endpoint& endpoint, const Proxy& proxy, Connection& connection,
                                   Deadline deadline) {
    const std::string authority = endpoint.host_and_port();
    std::string bytes = "CONNECT " + authority + " HTTP/1.1\r\nHost: " + authority + "\r\n";
    append_authorization(bytes, proxy);
    ZCDP_CO_TRY(const Answer answer, co_await exchange(connection, bytes + "\r\n", {}, 0, deadline));
    if (answer.silent)
        co_return Error(ErrorKind::unreachable, "the proxy closed the connection without an answer to CONNECT");
    const int status = answer.header.status();
    if (status == 407 || status == 401 || status == 403)
        co_return Error(ErrorKind::denied, "the proxy wants other credentials or does not allow this host (HTTP " +
                                               std::to_string(status) + ")");
    if (status / 100 != 2)
        co_return Error(ErrorKind::unreachable, "the proxy answered CONNECT with HTTP " + std::to_string(status));
    if (!connection.ahead().empty())
        co_return Error(ErrorKind::unreachable, "the proxy sent bytes before the TLS handshake");
    co_return Result<>();
}

Task<Client::Attempt> Client::connect_to(const Endpoint& endpoint, const Proxy* proxy, std::shared_ptr<Address> address,
                                         Deadline deadline) {
    auto connection = std::make_unique<Connection>(pool_->executor, pool_->ticker, std::move(address));
    auto open = co_await connection->transport.connect(connection->address->endpoint, pool_->from,
                                                       pool_->options.limits.probe_timeout_ms, deadline);
    if (open && endpoint.tls && proxy) open = co_await open_tunnel(endpoint, *proxy, *connection, deadline);
    if (!open) co_return Attempt{std::move(open).error()};
    if (endpoint.tls) {
        if (!pool_->options.tls) co_return Attempt{Error(ErrorKind::failed, "there is no TLS here")};
        auto ssl = pool_->options.tls->connection(endpoint);
        if (!ssl) co_return Attempt{std::move(ssl).error(), true};
        if (auto spoken = co_await connection->transport.start_tls(std::move(*ssl), deadline); !spoken) {
            const bool refused = spoken.error().kind() == ErrorKind::denied;
            co_return Attempt{std::move(spoken).error(), refused};
        }
    }
    connects_.add();
    co_return Attempt{std::move(connection)};
}

/// Behind a proxy names are the proxy's matter, but an address that is written out must keep to the rules all the same.
bool Client::allowed(const Endpoint& endpoint, const std::string& address) const {
    const AddressRules& rules = pool_->options.address_rules;
    return rules.allows(address) && (!endpoint.is_numeric() || rules.allows(endpoint.host));
}

/// Tries every address once, in the order of the book, so that connections spread over those that serve well.
Task<Result<std::unique_ptr<Connection>>> Client::connect(Endpoint endpoint, Deadline deadline) {
    const uint64_t timeout_ms = pool_->options.limits.connect_timeout_ms;
    ZCDP_CO_CHECK(pool_->options.proxies.check(endpoint));
    const Proxy* proxy = pool_->options.proxies.for_endpoint(endpoint);
    const Endpoint& peer = proxy ? proxy->endpoint : endpoint;
    Host& host = pool_->host(endpoint);
    const bool stale = !host.resolved_ns || pool_->now_ns() - *host.resolved_ns > kAddressesKeptMs * 1'000'000ull;
    if (host.addresses.size() == 0 || stale) {
        auto addresses = co_await resolve(peer.host, peer.port, deadline.min(Deadline::in_ms(timeout_ms)));
        if (!addresses && host.addresses.size() == 0) co_return std::move(addresses).error();
        if (addresses) host.addresses.set(*addresses);
        host.resolved_ns = pool_->now_ns();
    }
    std::vector<std::shared_ptr<Address>> tried;
    std::string reasons;
    ErrorKind kind = ErrorKind::unreachable;
    while (!deadline.passed()) {
        const auto next = host.addresses.next(pool_->now_ns(), tried);
        if (!next) break;
        tried.push_back(next);
        const auto address = next->endpoint;
        const bool other_family = !pool_->from.is_unspecified() && pool_->from.is_v6() != address.address().is_v6();
        if (other_family) {
            reasons += (reasons.empty() ? "" : "; ") + address.address().to_string() + ": is of another family than " +
                       pool_->from.to_string();
            continue;
        }
        if (!allowed(endpoint, address.address().to_string())) {
            reasons +=
                (reasons.empty() ? "" : "; ") + address.address().to_string() + ": such addresses are not allowed here";
            kind = ErrorKind::denied;
            continue;
        }
        const bool last = tried.size() >= host.addresses.size();
        const uint64_t patience_ms = last ? timeout_ms : std::min(timeout_ms, kConnectElsewhereMs);
        auto [connection, is_final] =
            co_await connect_to(endpoint, proxy, next, deadline.min(Deadline::in_ms(patience_ms)));
        if (connection) co_return std::move(connection);
        if (connection.error().kind() == ErrorKind::usage) co_return std::move(connection);
        if (is_final) co_return std::move(connection).error().about(endpoint.url());
        if (connection.error().kind() == ErrorKind::denied) kind = ErrorKind::denied;
        host.addresses.failed(*next, pool_->now_ns());
        reasons += (reasons.empty() ? "" : "; ") + address.address().to_string() + ": " + connection.error().what();
        log_.debug("cannot connect", {{"endpoint", endpoint.url()},
                                      {"address", address.address().to_string()},
                                      {"error", connection.error().what()}});
    }
    if (deadline.passed()) kind = ErrorKind::timeout;
    const std::string through = proxy ? " through the proxy " + proxy->endpoint.url() : "";
    co_return Error(kind, "cannot be reached" + through + " (" + reasons + ")", endpoint.url(),
                    proxy ? "check the proxy" : "check the endpoint and the network");
}

/// Of a peer that has closed before it read all of a request: an answer (RFC 9112 9.5) or an alert about our
/// certificate may lie there all the same. The connection is done.
Task<Result<Client::Answer>> Client::last_words(Connection& connection, Deadline deadline) {
    const Limits& limits = pool_->options.limits;
    const Deadline until = deadline.min(Deadline::in_ms(kLastWordsMs));
    Answer answer;
    connection.spent = true;
    while (true) {
        const auto got = co_await connection.read_ahead(limits.header_bytes_max + kReadAhead, until);
        if (!got && got.error().kind() == ErrorKind::denied) co_return got.error();
        answer.silent = !got || *got == 0;
        if (answer.silent) co_return answer;
        ZCDP_CO_TRY(const size_t length,
                    answer.header.parse(connection.ahead(), {limits.header_bytes_max, limits.header_fields_max}));
        connection.begin += length;
        if (length > 0 && answer.header.status() >= 200) co_return answer;
    }
}

Task<Result<>> send_all(Transport& transport, std::string_view bytes, std::span<const BodyPart> parts,
                        uint64_t progress_ms, Deadline deadline) {
    ZCDP_CO_CHECK(co_await transport.write_all(bytes, deadline, progress_ms, !parts.empty()));
    for (const BodyPart& part : parts) {
        const bool more = part.file || &part != &parts.back();
        if (part.bytes) ZCDP_CO_CHECK(co_await transport.write_all(*part.bytes, deadline, progress_ms, more));
        if (part.file)
            ZCDP_CO_CHECK(co_await transport.write_file(part.file->get(), part.offset_bytes, part.length_bytes,
                                                        deadline, progress_ms));
    }
    co_return Result<>();
}

/// Sends the request and reads the answer's header; informational answers are passed over.
Task<Result<Client::Answer>> Client::exchange(Connection& connection, std::string_view bytes,
                                              std::span<const BodyPart> parts, uint32_t silence_ms, Deadline deadline,
                                              AddressBook* book, bool may_move) {
    const Limits& limits = pool_->options.limits;
    Answer answer;
    const uint64_t patience_ms = silence_ms > 0 ? silence_ms : limits.header_timeout_ms;
    if (auto sent = co_await send_all(connection.transport, bytes, parts, patience_ms, deadline); !sent) {
        if (sent.error().kind() == ErrorKind::unreachable) co_return co_await last_words(connection, deadline);
        co_return std::move(sent).error();
    }
    const bool impatient = silence_ms > 0 && silence_ms < limits.header_timeout_ms;
    const Deadline header_by = deadline.min(Deadline::in_ms(patience_ms));
    const auto watch = book ? book->watch(*connection.address) : AddressBook::Watch{};
    const uint64_t sent_ns = book ? pool_->now_ns() : 0;
    bool any = false;
    while (true) {
        may_move = may_move && !any;
        const Deadline until = may_move ? header_by.min(Deadline::in_ms(kLookElsewhereMs)) : header_by;
        auto got = co_await connection.read_ahead(limits.header_bytes_max + kReadAhead, until);
        if (may_move && !got && got.error().kind() == ErrorKind::timeout && !header_by.passed()) {
            answer.moved =
                book->silent(*connection.address, watch, static_cast<double>(pool_->now_ns() - sent_ns) / 1e6);
            if (answer.moved) co_return answer;
            continue;
        }
        if (!got && got.error().kind() == ErrorKind::denied)
            co_return std::move(got).error();  // the client's certificate
        if ((!got && got.error().kind() != ErrorKind::timeout && !any) || (got && *got == 0 && !any)) {
            answer.silent = true;
            co_return answer;
        }
        if (!got && impatient && got.error().kind() == ErrorKind::timeout && !deadline.passed())
            co_return stalled(silence_ms);
        if (!got) co_return std::move(got).error();
        if (*got == 0) co_return Error(ErrorKind::unreachable, "the answer's header was cut off");
        any = true;
        while (true) {
            ZCDP_CO_TRY(const size_t length,
                        answer.header.parse(connection.ahead(), {limits.header_bytes_max, limits.header_fields_max}));
            if (length == 0) break;
            connection.begin += length;
            if (answer.header.status() < 200) continue;
            if (book)
                book->answered(*connection.address, static_cast<double>(pool_->now_ns() - sent_ns) / 1e6,
                               pool_->now_ns());
            co_return answer;
        }
    }
}

Task<Result<std::unique_ptr<Response>>> Client::send(Endpoint endpoint, Request request, Deadline deadline) {
    if (pool_->closed) co_return Error(ErrorKind::interrupted, "the client is closed");
    const std::string bytes = wire_form(endpoint, request);
    const bool repeatable = request.method == "GET" || request.method == "HEAD";
    const Proxy* proxy = endpoint.tls
                             ? nullptr
                             : pool_->options.proxies.for_endpoint(endpoint);  // a tunnel's answers are the endpoint's
    const std::string through = proxy ? " (through the proxy " + proxy->endpoint.url() + ")" : "";
    co_await pool_->permits.acquire();
    Loan loan(pool_, endpoint);
    Host& host = pool_->host(endpoint);
    AddressBook& addresses = host.addresses;
    size_t moves = 0;
    for (bool fresh = false;; fresh = true) {
        if (!fresh && !addresses.wants_connection(pool_->now_ns())) loan.connection = take_idle(host);
        if (!loan.connection) {
            ZCDP_CO_TRY(loan.connection, co_await connect(endpoint, deadline));
        }
        const bool used_before = loan.connection->used_before;
        Address& address = *loan.connection->address;
        AddressBook* const book = repeatable && addresses.size() > 1 ? &addresses : nullptr;
        auto answer = co_await exchange(*loan.connection, bytes, request.parts, request.silence_ms, deadline, book,
                                        book && moves + 1 < addresses.size());
        if (!answer && answer.error().kind() == ErrorKind::stalled) addresses.stalled(address, pool_->now_ns());
        if (!answer)
            co_return Error(answer.error().kind(), answer.error().what() + through, endpoint.url(),
                            answer.error().hint());
        if (answer->moved) {
            addresses.gave_up(address, pool_->now_ns());
            log_.debug("silent while others answer, asked elsewhere",
                       {{"endpoint", endpoint.url()}, {"address", address.endpoint.address().to_string()}});
            loan.connection.reset();
            ++moves;
            continue;
        }
        if (answer->silent) {
            if (!used_before) addresses.failed(address, pool_->now_ns());
            // Closed while it was idle: not the peer's fault, and safe to ask again (RFC 9112 9.3.1).
            loan.connection.reset();
            if (used_before && repeatable) continue;
            co_return Error(ErrorKind::unreachable, "the peer closed the connection without an answer" + through,
                            endpoint.url());
        }
        const int status = answer->header.status();
        if (status == 407)
            co_return Error(ErrorKind::denied, "the proxy wants other credentials (HTTP 407)" + through, endpoint.url(),
                            "check HTTP_PROXY or the backend's Secret");
        const bool bodiless = request.method == "HEAD" || status == 204 || status == 304;
        co_return make_response(std::move(loan), std::move(answer->header), bodiless, pool_->options.limits,
                                request.silence_ms, deadline);
    }
}

}  // namespace

uint64_t Request::body_bytes() const {
    uint64_t bytes = body.size();
    for (const BodyPart& part : parts) bytes += part.size_bytes();
    return bytes;
}

std::shared_ptr<AddressNotes> make_address_notes() { return std::make_shared<AddressNotes>(); }

std::unique_ptr<HttpClient> make_http_client(asio::any_io_executor executor, HttpClientOptions options,
                                             const Clock& clock, Metrics& metrics, Logger& log) {
    return std::make_unique<Client>(executor, std::move(options), clock, metrics, log);
}

}  // namespace zcdp::net
