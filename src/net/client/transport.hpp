// One connection: a non-blocking socket, with TLS on it or not. Reads and writes go straight to the system call; the
// loop is only asked to wait when that would block.
//
// Deadlines: one ticker a client looks at all waiting connections every 50 ms and cancels those past theirs, which
// costs nothing per read. Thread rule: belongs to its loop.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <set>
#include <span>
#include <string>

#include "src/net/tls_context.hpp"
#include "zcdp/base/clock.hpp"
#include "zcdp/base/tasks.hpp"

namespace zcdp::net {

class Transport;

/// Cancels waits whose time has come. Runs only while somebody waits.
class Ticker : public std::enable_shared_from_this<Ticker> {
  public:
    Ticker(asio::any_io_executor executor, const Clock& clock) : timer_(executor), clock_(clock) {}
    void add(Transport* waiting);
    void remove(Transport* waiting);
    void stop();
    int64_t now_ns() const { return clock_.monotonic_ns(); }

  private:
    void arm();
    void tick();
    asio::steady_timer timer_;
    const Clock& clock_;  ///< of what is measured; deadlines are timers
    std::set<Transport*> waiting_;
    bool armed_ = false, stopped_ = false;
};

class Transport {
  public:
    Transport(asio::any_io_executor executor, std::shared_ptr<Ticker> ticker)
        : socket_(executor), ticker_(std::move(ticker)) {}

    /// `from`: the local address; unspecified: the system's choice. `probe_timeout_ms`: as Limits has it.
    Task<Result<>> connect(asio::ip::tcp::endpoint address, asio::ip::address from, uint32_t probe_timeout_ms,
                           Deadline deadline);
    Task<Result<>> start_tls(SslPtr ssl, Deadline deadline);
    /// `progress_ms`: how long the peer may take nothing. `more`: something follows at once, and may share a packet.
    Task<Result<>> write_all(std::string_view bytes, Deadline deadline, uint64_t progress_ms, bool more = false);
    /// [offset, offset + length) of an open file. Errors: also source_changed: it has become shorter.
    Task<Result<>> write_file(int file, uint64_t offset, uint64_t length, Deadline deadline, uint64_t progress_ms);
    /// At least one byte, or 0 when the peer has closed.
    Task<Result<size_t>> read_some(std::span<std::byte> into, Deadline deadline);
    const std::string& peer() const { return peer_; }
    /// Nanoseconds spent waiting for the peer so far.
    uint64_t waited_ns() const { return waited_ns_; }
    /// Whether an idle connection has something to read, from the socket or from what was read ahead of a TLS record's
    /// end: it was closed, or answers what nobody asked.
    bool readable_now() const;

  private:
    friend class Ticker;
    enum class Wait { read, write };
    Task<Result<>> wait(Wait what, Deadline deadline);
    /// What to do after SSL_read and its like returned `result`: wait and try again, or an Error.
    Task<Result<>> after_ssl(int result, Deadline deadline);
    /// The same after send() or sendfile() failed with this errno.
    Task<Result<>> after_send(int number, Deadline deadline);
    Task<Result<>> write_file_tls(int file, uint64_t offset, uint64_t length, Deadline deadline, uint64_t progress_ms);

    asio::ip::tcp::socket socket_;
    std::shared_ptr<Ticker> ticker_;
    SslPtr ssl_;
    std::string peer_;
    Deadline wait_until_ = Deadline::never();
    bool timed_out_ = false;
    uint64_t waited_ns_ = 0;
};

}  // namespace zcdp::net
