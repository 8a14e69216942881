// A connection's bytes: a non-blocking socket, with TLS on it or not. Reads and writes go straight to the system call;
// the loop is only asked to wait when that would block.
//
// Thread rule: belongs to its loop.
#pragma once

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "src/net/tls_context.hpp"
#include "zcdp/base/tasks.hpp"

namespace zcdp::net::server {

class Stream;

/// Ends waits whose time has come: one timer a loop, set to the earliest deadline, so that idle connections wake
/// nobody.
class WaitTimer {
  public:
    explicit WaitTimer(asio::any_io_executor executor) : timer_(executor) {}
    void add(Stream* waiting);
    void remove(Stream* waiting) { waiting_.erase(waiting); }
    /// Nobody waits any more: the loop may end.
    void stop() { timer_.cancel(); }

  private:
    void arm(asio::steady_timer::clock_type::time_point at);
    void look();
    asio::steady_timer timer_;
    std::set<Stream*> waiting_;
    asio::steady_timer::clock_type::time_point armed_for_ = asio::steady_timer::clock_type::time_point::max();
};

class Stream {
  public:
    using Socket = asio::generic::stream_protocol::socket;
    Stream(Socket socket, WaitTimer& timer, asio::thread_pool& pool)
        : socket_(std::move(socket)), timer_(timer), pool_(pool) {}

    /// The handshake; false when it fails or is not through in time.
    Task<bool> start_tls(SslPtr ssl, uint64_t limit_ms);
    SSL* ssl() const { return ssl_.get(); }

    /// At least one byte; 0 when the peer has closed, has failed, or is silent at the deadline: timed_out() then.
    Task<size_t> read_some(std::span<char> into, Deadline deadline);
    bool timed_out() const { return timed_out_; }
    /// `more`: another part follows at once. Each wait for the peer to read may take `progress_ms`.
    Task<bool> write(std::string_view bytes, bool more, uint64_t progress_ms);
    /// Adds a part of a file to `out`. False when the file has not that much. What is not in memory is read on the
    /// pool.
    Task<bool> append_file(std::string& out, int file, uint64_t offset, uint64_t length);
    /// The same, sent: sendfile(2) where there is no TLS.
    Task<bool> write_file(int file, uint64_t offset, uint64_t length, uint64_t progress_ms);
    /// After an answer to what was not read: waits a moment until the peer has seen it. To close a socket with bytes
    /// unread would reset the connection, and may take the answer with it.
    Task<> linger();
    /// TLS's goodbye, if it can be sent at once.
    void say_goodbye();
    /// Every wait ends now, and those to come at once.
    void cut();

  private:
    friend class WaitTimer;
    class Waiting;
    enum class Direction { read, write };
    Task<size_t> receive(std::span<char> into, Deadline deadline);
    Task<bool> wait(Direction direction, Deadline deadline);
    Task<bool> wait_for_ssl(int result, Deadline deadline);
    Task<bool> send_file_plain(int file, uint64_t offset, uint64_t length, uint64_t progress_ms);
    Task<bool> send_file_tls(int file, uint64_t offset, uint64_t length, uint64_t progress_ms);

    Socket socket_;
    WaitTimer& timer_;
    asio::thread_pool& pool_;
    SslPtr ssl_;
    Deadline wait_until_ = Deadline::never();
    bool timed_out_ = false, cut_ = false;
};

}  // namespace zcdp::net::server
