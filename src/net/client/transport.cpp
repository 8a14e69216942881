#include "src/net/client/transport.hpp"

#include <netinet/tcp.h>
#include <openssl/err.h>
#include <poll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <cerrno>

namespace zcdp::net {
namespace {

constexpr auto kTick = std::chrono::milliseconds(50);
constexpr size_t kSliceBytes = 1 << 20;  ///< of a file, at once
constexpr size_t kTlsSliceBytes = 256 << 10;

Error socket_error(int number, const char* action) {
    const boost::system::error_code code(number, boost::system::system_category());
    return Error(ErrorKind::unreachable, std::string(action) + ": " + code.message());
}

Error became_shorter() { return Error(ErrorKind::source_changed, "the file became shorter while it was sent"); }

void probe(int socket, uint32_t timeout_ms) {
    const int on = 1, every_s = 1;
    ::setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    ::setsockopt(socket, IPPROTO_TCP, TCP_KEEPIDLE, &every_s, sizeof every_s);
    ::setsockopt(socket, IPPROTO_TCP, TCP_KEEPINTVL, &every_s, sizeof every_s);
    ::setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof timeout_ms);
}

}  // namespace

void Ticker::add(Transport* waiting) {
    waiting_.insert(waiting);
    if (!armed_ && !stopped_) arm();
}

void Ticker::remove(Transport* waiting) { waiting_.erase(waiting); }

void Ticker::stop() {
    stopped_ = true;
    timer_.cancel();
}

void Ticker::arm() {
    armed_ = true;
    timer_.expires_after(kTick);
    timer_.async_wait([self = weak_from_this()](const boost::system::error_code& code) {
        if (const auto ticker = self.lock(); ticker && !code) ticker->tick();
    });
}

void Ticker::tick() {
    armed_ = false;
    for (Transport* transport : waiting_) {
        if (!transport->wait_until_.passed()) continue;
        transport->timed_out_ = true;
        boost::system::error_code ignored;
        transport->socket_.cancel(ignored);
    }
    if (!waiting_.empty() && !stopped_) arm();
}

Task<Result<>> Transport::wait(Wait what, Deadline deadline) {
    wait_until_ = deadline;
    timed_out_ = false;
    ticker_->add(this);
    /// Also when the wait ends by an exception (cancellation).
    struct Remove {
        Transport* self;
        ~Remove() { self->ticker_->remove(self); }
    } remove{this};
    const int64_t began_ns = ticker_->now_ns();
    boost::system::error_code code;
    co_await socket_.async_wait(what == Wait::read ? asio::socket_base::wait_read : asio::socket_base::wait_write,
                                asio::redirect_error(asio::use_awaitable, code));
    waited_ns_ += static_cast<uint64_t>(ticker_->now_ns() - began_ns);
    if (timed_out_) co_return Error(ErrorKind::timeout, "the peer did not answer in time");
    if (code == asio::error::operation_aborted) throw boost::system::system_error(code);
    if (code) co_return Error(ErrorKind::unreachable, code.message());
    co_return Result<>();
}

Task<Result<>> Transport::connect(asio::ip::tcp::endpoint address, asio::ip::address from, uint32_t probe_timeout_ms,
                                  Deadline deadline) {
    peer_ = (address.address().is_v6() ? "[" + address.address().to_string() + "]" : address.address().to_string()) +
            ":" + std::to_string(address.port());
    boost::system::error_code code;
    socket_.open(address.protocol(), code);
    if (!code) socket_.non_blocking(true, code);
    if (!code) socket_.native_non_blocking(true, code);
    if (!code) socket_.set_option(asio::ip::tcp::no_delay(true), code);
    if (code) co_return Error(ErrorKind::failed, "opening a socket: " + code.message());
    if (probe_timeout_ms > 0) probe(socket_.native_handle(), probe_timeout_ms);
    if (!from.is_unspecified()) socket_.bind({from, 0}, code);
    if (code) co_return Error(ErrorKind::usage, "cannot come from " + from.to_string() + ": " + code.message());
    if (::connect(socket_.native_handle(), address.data(), static_cast<socklen_t>(address.size())) == 0)
        co_return Result<>();
    if (errno != EINPROGRESS) co_return socket_error(errno, "connecting");
    ZCDP_CO_CHECK(co_await wait(Wait::write, deadline));
    int error = 0;
    socklen_t length = sizeof error;
    ::getsockopt(socket_.native_handle(), SOL_SOCKET, SO_ERROR, &error, &length);
    if (error != 0) co_return socket_error(error, "connecting");
    co_return Result<>();
}

Task<Result<>> Transport::after_ssl(int result, Deadline deadline) {
    const int saved = errno;
    switch (SSL_get_error(ssl_.get(), result)) {
        case SSL_ERROR_WANT_READ: co_return co_await wait(Wait::read, deadline);
        case SSL_ERROR_WANT_WRITE: co_return co_await wait(Wait::write, deadline);
        case SSL_ERROR_SYSCALL: ERR_clear_error(); co_return socket_error(saved == 0 ? ECONNRESET : saved, "TLS");
        default: co_return tls_failure(ssl_.get());
    }
}

Task<Result<>> Transport::start_tls(SslPtr ssl, Deadline deadline) {
    ssl_ = std::move(ssl);
    SSL_set_fd(ssl_.get(), socket_.native_handle());
    while (true) {
        ERR_clear_error();
        const int result = SSL_connect(ssl_.get());
        if (result == 1) co_return Result<>();
        ZCDP_CO_CHECK(co_await after_ssl(result, deadline));
    }
}

Task<Result<>> Transport::write_all(std::string_view bytes, Deadline deadline, uint64_t progress_ms, bool more) {
    const int flags = MSG_NOSIGNAL | (more ? MSG_MORE : 0);
    while (!bytes.empty()) {
        if (ssl_) {
            ERR_clear_error();
            size_t put = 0;
            const int result = SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &put);
            if (result == 1) bytes.remove_prefix(put);
            else ZCDP_CO_CHECK(co_await after_ssl(result, deadline.min(Deadline::in_ms(progress_ms))));
            continue;
        }
        const ssize_t put = ::send(socket_.native_handle(), bytes.data(), bytes.size(), flags);
        if (put >= 0) bytes.remove_prefix(static_cast<size_t>(put));
        else ZCDP_CO_CHECK(co_await after_send(errno, deadline.min(Deadline::in_ms(progress_ms))));
    }
    co_return Result<>();
}

Task<Result<>> Transport::after_send(int number, Deadline deadline) {
    if (number == EAGAIN) co_return co_await wait(Wait::write, deadline);
    if (number == EINTR) co_return Result<>();
    if (number == EIO) co_return errno_error(number, "reading", "");  // the file, for sockets have no such error
    co_return socket_error(number, "sending");
}

Task<Result<>> Transport::write_file(int file, uint64_t offset, uint64_t length, Deadline deadline,
                                     uint64_t progress_ms) {
    if (ssl_) co_return co_await write_file_tls(file, offset, length, deadline, progress_ms);
    auto at = static_cast<off_t>(offset);
    while (length > 0) {
        const ssize_t put = ::sendfile(socket_.native_handle(), file, &at, std::min<uint64_t>(length, kSliceBytes));
        if (put > 0) length -= static_cast<uint64_t>(put);
        else if (put == 0) co_return became_shorter();
        else ZCDP_CO_CHECK(co_await after_send(errno, deadline.min(Deadline::in_ms(progress_ms))));
    }
    co_return Result<>();
}

Task<Result<>> Transport::write_file_tls(int file, uint64_t offset, uint64_t length, Deadline deadline,
                                         uint64_t progress_ms) {
    const size_t room = std::min<uint64_t>(length, kTlsSliceBytes);
    const auto buffer = std::make_unique_for_overwrite<char[]>(room);
    while (length > 0) {
        const ssize_t got = ::pread(file, buffer.get(), std::min<uint64_t>(length, room), static_cast<off_t>(offset));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) co_return errno_error(errno, "reading", "");
        if (got == 0) co_return became_shorter();
        const std::string_view piece(buffer.get(), static_cast<size_t>(got));
        ZCDP_CO_CHECK(co_await write_all(piece, deadline, progress_ms));
        offset += piece.size(), length -= piece.size();
    }
    co_return Result<>();
}

Task<Result<size_t>> Transport::read_some(std::span<std::byte> into, Deadline deadline) {
    while (true) {
        if (ssl_) {
            // A record holds 16 KiB at most: fill the buffer with as many as are here.
            size_t filled = 0;
            int result = 1;
            while (filled < into.size()) {
                ERR_clear_error();
                size_t got = 0;
                result = SSL_read_ex(ssl_.get(), into.data() + filled, into.size() - filled, &got);
                if (result != 1) break;
                filled += got;
            }
            if (filled > 0) co_return filled;
            if (SSL_get_error(ssl_.get(), result) == SSL_ERROR_ZERO_RETURN) co_return size_t{0};
            ZCDP_CO_CHECK(co_await after_ssl(result, deadline));
            continue;
        }
        const ssize_t got = ::recv(socket_.native_handle(), into.data(), into.size(), 0);
        if (got >= 0) co_return static_cast<size_t>(got);
        if (errno == EAGAIN) {
            ZCDP_CO_CHECK(co_await wait(Wait::read, deadline));
        } else if (errno != EINTR) {
            co_return socket_error(errno, "receiving");
        }
    }
}

bool Transport::readable_now() const {
    if (ssl_ && SSL_has_pending(ssl_.get())) return true;
    pollfd poll{const_cast<asio::ip::tcp::socket&>(socket_).native_handle(), POLLIN, 0};
    return ::poll(&poll, 1, 0) > 0;
}

}  // namespace zcdp::net
