// A connection's bytes: a non-blocking socket, with TLS on it or not. Reads and writes go straight to the system call;
// the loop is only asked to wait when that would block.
//
// Thread rule: belongs to its loop.
#pragma once

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "src/net/tls_context.hpp"
#include "zcdp/base/tasks.hpp"
#include "zcdp/net/server.hpp"

namespace zcdp::net::server {

class Stream;

/// Ends waits whose time has come: one timer a loop, set to the earliest deadline, so that idle connections wake
/// nobody and a wait costs no more than a comparison.
class WaitTimer {
  public:
    explicit WaitTimer(asio::any_io_executor executor) : timer_(executor) {}
    void add(Stream& stream);
    void remove(Stream& stream);
    /// One of the streams waits until `deadline`.
    void expect(Deadline deadline) {
        if (deadline.at() < armed_for_) arm(deadline.at());
    }
    /// Nobody waits any more: the loop may end.
    void stop() { timer_.cancel(); }

  private:
    void arm(asio::steady_timer::clock_type::time_point at);
    void look();
    asio::steady_timer timer_;
    std::vector<Stream*> streams_;
    asio::steady_timer::clock_type::time_point armed_for_ = asio::steady_timer::clock_type::time_point::max();
};

class Stream {
  public:
    using Socket = asio::generic::stream_protocol::socket;
    Stream(Socket socket, WaitTimer& timer, asio::thread_pool& pool)
        : socket_(std::move(socket)), timer_(timer), pool_(pool) {
        timer_.add(*this);
    }
    ~Stream() { timer_.remove(*this); }
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    /// The handshake; false when it fails or is not through in time.
    Task<bool> start_tls(SslPtr ssl, uint64_t limit_ms);
    SSL* ssl() const { return ssl_.get(); }

    /// At least one byte; 0 when the peer has closed, has failed, or is silent at the deadline: timed_out() then.
    Task<size_t> read_some(std::span<char> into, Deadline deadline);
    bool timed_out() const { return timed_out_; }
    /// `more`: another part follows at once. Each wait for the peer to read may take `progress_ms`.
    Task<bool> write(std::string_view bytes, bool more, uint64_t progress_ms);
    /// Sends what goes without waiting, and takes that off `bytes`. False when the peer is gone.
    bool write_now(std::string_view& bytes, bool more);
    /// Fills `into` with the range's bytes from its byte `from` on, on the pool. False when the file has not that much.
    Task<bool> read_file(std::span<char> into, const FileRange& range, uint64_t from);
    /// The same at once, where that never blocks; nothing: only read_file() can tell.
    static std::optional<bool> read_file_now(std::span<char> into, const FileRange& range, uint64_t from);
    /// Sends the range: by sendfile(2) where there is no TLS. It lives until then.
    Task<bool> write_file(const FileRange& range, uint64_t progress_ms);
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
    Task<size_t> receive_tls(std::span<char> into, Deadline deadline);
    Task<bool> wait(Direction direction, Deadline deadline);
    /// What TLS waits for after it said `result`; nothing: it failed.
    std::optional<Direction> wanted_by_tls(int result);
    Task<bool> send_file_plain(const FileRange& range, uint64_t progress_ms);
    Task<bool> send_file_tls(const FileRange& range, uint64_t progress_ms);

    Socket socket_;
    WaitTimer& timer_;
    asio::thread_pool& pool_;
    SslPtr ssl_;
    size_t place_ = 0;                         ///< the timer's
    Deadline wait_until_ = Deadline::never();  ///< never: it does not wait
    Direction blocked_on_ = Direction::write;  ///< what write_now() would have to wait for
    bool timed_out_ = false, cut_ = false;
};

}  // namespace zcdp::net::server
