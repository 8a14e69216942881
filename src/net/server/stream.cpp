#include "src/net/server/stream.hpp"

#include <linux/magic.h>
#include <openssl/err.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/vfs.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/redirect_error.hpp>
#include <cerrno>
#include <vector>

namespace zcdp::net::server {
namespace {

constexpr auto kTick = std::chrono::milliseconds(50);
constexpr size_t kSliceBytes = 1 << 20;  ///< between two looks at the other connections
constexpr size_t kTlsSliceBytes = 256 << 10;
constexpr uint64_t kLingerMs = 2'000, kLingerBytesMax = 64 << 20;

enum class Warmth {
    warm,     ///< in memory
    cold,     ///< or the file system does not tell
    fleeting  ///< on a file system that has nothing but memory
};

/// What RWF_NOWAIT found: `got` bytes of `wanted`, or errno.
Warmth warmth_of(int file, ssize_t got, size_t wanted) {
    if (got >= 0) return static_cast<size_t>(got) == wanted ? Warmth::warm : Warmth::cold;
    if (errno != EOPNOTSUPP) return Warmth::cold;
    struct statfs about{};
    return ::fstatfs(file, &about) == 0 && about.f_type == TMPFS_MAGIC ? Warmth::fleeting : Warmth::cold;
}

/// Of one byte; what is beyond the end costs nothing to find out.
Warmth warmth_at(int file, uint64_t offset) {
    char byte = 0;
    iovec piece{&byte, 1};
    const ssize_t got = ::preadv2(file, &piece, 1, static_cast<off_t>(offset), RWF_NOWAIT);
    return got == 0 ? Warmth::warm : warmth_of(file, got, 1);
}

/// Reads all of it; may block. False when the file has not that much.
bool read_whole(int file, char* into, uint64_t offset, uint64_t length) {
    while (length > 0) {
        const ssize_t got = ::pread(file, into, length, static_cast<off_t>(offset));
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return false;
        into += got, offset += static_cast<uint64_t>(got), length -= static_cast<uint64_t>(got);
    }
    return true;
}

}  // namespace

void WaitTimer::add(Stream* waiting) {
    waiting_.insert(waiting);
    if (waiting->wait_until_.at() < armed_for_) arm(waiting->wait_until_.at());
}

/// Looks at `at`, or kTick from now if that is later; sooner if it is set to that.
void WaitTimer::arm(asio::steady_timer::clock_type::time_point at) {
    at = std::max(at, asio::steady_timer::clock_type::now() + kTick);
    if (at >= armed_for_) return;
    armed_for_ = at;
    timer_.expires_at(at);
    timer_.async_wait([this](const boost::system::error_code& code) {
        if (!code) look();
    });
}

void WaitTimer::look() {
    const auto now = asio::steady_timer::clock_type::now();
    auto earliest = asio::steady_timer::clock_type::time_point::max();
    for (Stream* stream : waiting_) {
        if (stream->wait_until_.at() > now) {
            earliest = std::min(earliest, stream->wait_until_.at());
            continue;
        }
        stream->timed_out_ = true;
        boost::system::error_code ignored;
        stream->socket_.cancel(ignored);
    }
    armed_for_ = asio::steady_timer::clock_type::time_point::max();
    if (earliest < armed_for_) arm(earliest);
}

/// From here to the end of a wait, however it ends.
class Stream::Waiting {
  public:
    Waiting(Stream& stream, Deadline deadline) : stream_(stream) {
        stream_.wait_until_ = deadline;
        stream_.timed_out_ = false;
        stream_.timer_.add(&stream_);
    }
    ~Waiting() { stream_.timer_.remove(&stream_); }
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;

  private:
    Stream& stream_;
};

Task<bool> Stream::wait(Direction direction, Deadline deadline) {
    if (cut_) co_return false;
    const Waiting waiting(*this, deadline);
    boost::system::error_code code;
    co_await socket_.async_wait(direction == Direction::read ? Socket::wait_read : Socket::wait_write,
                                asio::redirect_error(asio::use_awaitable, code));
    co_return !code && !timed_out_ && !cut_;
}

void Stream::cut() {
    cut_ = true;
    ::shutdown(socket_.native_handle(), SHUT_RDWR);
    boost::system::error_code ignored;
    socket_.cancel(ignored);
}

Task<bool> Stream::wait_for_ssl(int result, Deadline deadline) {
    switch (SSL_get_error(ssl_.get(), result)) {
        case SSL_ERROR_WANT_READ: co_return co_await wait(Direction::read, deadline);
        case SSL_ERROR_WANT_WRITE: co_return co_await wait(Direction::write, deadline);
        default: ERR_clear_error(); co_return false;
    }
}

Task<bool> Stream::start_tls(SslPtr ssl, uint64_t limit_ms) {
    const Deadline deadline = Deadline::in_ms(limit_ms);
    ssl_ = std::move(ssl);
    SSL_set_fd(ssl_.get(), socket_.native_handle());
    while (true) {
        ERR_clear_error();
        const int result = SSL_accept(ssl_.get());
        if (result == 1) co_return true;
        if (!co_await wait_for_ssl(result, deadline)) co_return false;
    }
}

Task<size_t> Stream::read_some(std::span<char> into, Deadline deadline) {
    timed_out_ = false;
    if (!ssl_) co_return co_await receive(into, deadline);
    while (!cut_) {
        ERR_clear_error();
        size_t got = 0;
        const int result = SSL_read_ex(ssl_.get(), into.data(), into.size(), &got);
        if (result == 1) co_return got;
        if (!co_await wait_for_ssl(result, deadline)) break;
    }
    co_return 0;
}

/// By Asio's own read: it knows when the socket is empty, and saves the call that would only say so.
Task<size_t> Stream::receive(std::span<char> into, Deadline deadline) {
    if (cut_) co_return 0;
    const Waiting waiting(*this, deadline);
    boost::system::error_code code;
    const size_t got = co_await socket_.async_read_some(asio::buffer(into.data(), into.size()),
                                                        asio::redirect_error(asio::use_awaitable, code));
    co_return code || cut_ ? 0 : got;
}

Task<bool> Stream::write(std::string_view bytes, bool more, uint64_t progress_ms) {
    while (!bytes.empty()) {
        if (cut_) co_return false;
        if (ssl_) {
            ERR_clear_error();
            size_t put = 0;
            const int result = SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &put);
            if (result == 1) bytes.remove_prefix(put);
            else if (!co_await wait_for_ssl(result, Deadline::in_ms(progress_ms))) co_return false;
            continue;
        }
        const ssize_t put =
            ::send(socket_.native_handle(), bytes.data(), bytes.size(), MSG_NOSIGNAL | (more ? MSG_MORE : 0));
        if (put >= 0) {
            bytes.remove_prefix(static_cast<size_t>(put));
        } else if (errno == EAGAIN) {
            if (!co_await wait(Direction::write, Deadline::in_ms(progress_ms))) co_return false;
        } else if (errno != EINTR) {
            co_return false;
        }
    }
    co_return true;
}

Task<bool> Stream::write_file(int file, uint64_t offset, uint64_t length, uint64_t progress_ms) {
    return ssl_ ? send_file_tls(file, offset, length, progress_ms) : send_file_plain(file, offset, length, progress_ms);
}

Task<bool> Stream::send_file_plain(int file, uint64_t offset, uint64_t length, uint64_t progress_ms) {
    bool in_memory = false;
    auto at = static_cast<off_t>(offset);
    while (length > 0) {
        if (cut_) co_return false;
        const size_t slice = std::min<uint64_t>(length, kSliceBytes);
        int error = 0;
        ssize_t put = 0;
        const auto send = [&, this] {
            put = ::sendfile(socket_.native_handle(), file, &at, slice);
            error = put < 0 ? errno : 0;
        };
        const auto begin = static_cast<uint64_t>(at);
        const Warmth first = in_memory ? Warmth::fleeting : warmth_at(file, begin);
        in_memory = first == Warmth::fleeting;
        if (in_memory || (first == Warmth::warm && warmth_at(file, begin + slice - 1) == Warmth::warm)) send();
        else co_await offload(pool_, send);
        if (put > 0) {
            length -= static_cast<uint64_t>(put);
        } else if (put == 0) {
            co_return false;  // the file became shorter; the peer sees a body that is cut off
        } else if (error == EAGAIN) {
            if (!co_await wait(Direction::write, Deadline::in_ms(progress_ms))) co_return false;
        } else if (error != EINTR) {
            co_return false;
        }
    }
    co_return true;
}

Task<bool> Stream::send_file_tls(int file, uint64_t offset, uint64_t length, uint64_t progress_ms) {
    std::string piece;
    for (uint64_t slice = 0; length > 0; offset += slice, length -= slice) {
        slice = std::min<uint64_t>(length, kTlsSliceBytes);
        piece.clear();
        if (!co_await append_file(piece, file, offset, slice)) co_return false;
        if (!co_await write(piece, false, progress_ms)) co_return false;
    }
    co_return true;
}

Task<bool> Stream::append_file(std::string& out, int file, uint64_t offset, uint64_t length) {
    const size_t begin = out.size();
    out.resize(begin + length);
    iovec piece{out.data() + begin, length};
    const ssize_t got = ::preadv2(file, &piece, 1, static_cast<off_t>(offset), RWF_NOWAIT);
    bool whole = false;
    const auto read = [&] { whole = read_whole(file, out.data() + begin, offset, length); };
    switch (warmth_of(file, got, length)) {
        case Warmth::warm: co_return true;
        case Warmth::fleeting: read(); break;
        case Warmth::cold: co_await offload(pool_, read); break;
    }
    co_return whole;
}

void Stream::say_goodbye() {
    if (ssl_ && !cut_) SSL_shutdown(ssl_.get());
    ERR_clear_error();
}

Task<> Stream::linger() {
    say_goodbye();
    ::shutdown(socket_.native_handle(), SHUT_WR);
    const Deadline deadline = Deadline::in_ms(kLingerMs);
    std::vector<char> unread(64 << 10);
    for (uint64_t left = kLingerBytesMax; left > 0 && !deadline.passed();) {
        const ssize_t got = ::recv(socket_.native_handle(), unread.data(), unread.size(), 0);
        if (got > 0) {
            left -= std::min(left, static_cast<uint64_t>(got));
        } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
            co_return;
        } else if (!co_await wait(Direction::read, deadline)) {
            co_return;
        }
    }
}

}  // namespace zcdp::net::server
