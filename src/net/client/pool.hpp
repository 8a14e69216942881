// Connections kept for the next request, by endpoint, and who has one on loan. Thread rule: belongs to the client's
// loop.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "src/net/client/address_book.hpp"
#include "src/net/client/transport.hpp"
#include "zcdp/net/http.hpp"

namespace zcdp::net {

/// Header and a small body come with one read into it.
inline constexpr size_t kReadAhead = 32 << 10;

struct Connection {
    Connection(asio::any_io_executor executor, std::shared_ptr<Ticker> ticker, std::shared_ptr<Address> to)
        : transport(executor, std::move(ticker)), address(std::move(to)) {
        ++address->connections;
    }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    ~Connection() { --address->connections; }
    Transport transport;
    const std::shared_ptr<Address> address;
    std::vector<std::byte> buffer;
    size_t begin = 0, end = 0;  ///< read ahead and not used yet
    bool used_before = false;
    bool spent = false;  ///< the peer has not read a request to its end: no other may follow
    uint64_t idle_since_ns = 0;

    std::string_view ahead() const { return {reinterpret_cast<const char*>(buffer.data()) + begin, end - begin}; }
    Task<Result<size_t>> read_ahead(size_t limit, Deadline deadline) {
        if (begin == end) begin = end = 0;
        if (buffer.size() < std::min(limit, end + kReadAhead)) buffer.resize(std::min(limit, end + kReadAhead));
        auto got = co_await transport.read_some(std::span(buffer).subspan(end), deadline);
        if (got) end += *got;
        co_return got;
    }
};

/// What the client knows of one endpoint.
struct Host {
    explicit Host(std::shared_ptr<AddressNotes> notes) : addresses(std::move(notes)) {}
    AddressBook addresses;
    std::optional<uint64_t> resolved_ns;            ///< when its name was; nullopt: never
    std::vector<std::unique_ptr<Connection>> idle;  ///< the one used last at the end
};

struct EndpointLess {
    bool operator()(const Endpoint& a, const Endpoint& b) const {
        return std::tie(a.tls, a.host, a.port, a.tls_name) < std::tie(b.tls, b.host, b.port, b.tls_name);
    }
};

/// Outlives the client while a Response still holds it.
struct Pool {
    Pool(asio::any_io_executor e, HttpClientOptions o, const Clock& c)
        : executor(e),
          options(std::move(o)),
          clock(c),
          ticker(std::make_shared<Ticker>(e, c)),
          permits(e, options.limits.connections_max) {}
    asio::any_io_executor executor;
    HttpClientOptions options;
    const Clock& clock;
    std::shared_ptr<Ticker> ticker;
    Semaphore permits;
    std::map<Endpoint, Host, EndpointLess> hosts;
    asio::ip::address from;  ///< unspecified: the system's choice
    bool closed = false;

    void give_back(const Endpoint& endpoint, std::unique_ptr<Connection> connection, bool usable) {
        permits.release();
        if (!usable || closed) return;
        connection->idle_since_ns = now_ns();
        connection->used_before = true;
        host(endpoint).idle.push_back(std::move(connection));
    }
    /// The time as the address book counts it.
    uint64_t now_ns() const { return static_cast<uint64_t>(clock.monotonic_ns()); }
    Host& host(const Endpoint& endpoint) { return hosts.try_emplace(endpoint, options.address_notes).first->second; }
};

/// A connection on loan; closed unless it is given back.
class Loan {
  public:
    Loan() = default;
    Loan(std::shared_ptr<Pool> pool, Endpoint endpoint) : pool_(std::move(pool)), endpoint_(std::move(endpoint)) {}
    Loan(Loan&& other) noexcept
        : connection(std::move(other.connection)),
          pool_(std::move(other.pool_)),
          endpoint_(std::move(other.endpoint_)) {}
    Loan& operator=(Loan&&) = delete;
    ~Loan() { give_back(false); }
    AddressBook& addresses() { return pool_->host(endpoint_).addresses; }
    uint64_t now_ns() const { return pool_->now_ns(); }
    void give_back(bool usable) {
        if (pool_) std::exchange(pool_, nullptr)->give_back(endpoint_, std::move(connection), usable);
    }
    std::unique_ptr<Connection> connection;

  private:
    std::shared_ptr<Pool> pool_;
    Endpoint endpoint_;
};

}  // namespace zcdp::net
