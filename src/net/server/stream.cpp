#include "src/net/server/stream.hpp"

#include <linux/magic.h>
#include <openssl/err.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/vfs.h>

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <cerrno>
#include <vector>

namespace zcdp::net::server {
namespace {

constexpr auto kTick = std::chrono::milliseconds(50);
constexpr size_t kSliceBytes = 1 << 20;  ///< between two looks at the other connections
constexpr size_t kTlsSliceBytes = 256 << 10;
constexpr uint64_t kLingerMs = 2'000, kLingerBytesMax = 64 << 20;

/// Whether a file's bytes are in memory, so that to read them never waits for a disk.
class Warmth {
  public:
    explicit Warmth(int file) : file_(file) {}
    bool has(uint64_t offset, uint64_t length) {
        return length > 0 && has_byte(offset) && has_byte(offset + length - 1);
    }

  private:
    bool has_byte(uint64_t offset) {
        if (always_) return true;
        char byte = 0;
        iovec piece{&byte, 1};
        const ssize_t got = ::preadv2(file_, &piece, 1, static_cast<off_t>(offset), RWF_NOWAIT);
        if (got < 0 && errno == EOPNOTSUPP) {
            struct statfs about{};
            always_ = ::fstatfs(file_, &about) == 0 && about.f_type == TMPFS_MAGIC;
            return always_;
        }
        return got >= 0;  // 0: beyond the end, which costs nothing to find out
    }
    const int file_;
    bool always_ = false;
};

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

Task<bool> Stream::wait(Direction direction, Deadline deadline) {
    if (cut_) co_return false;
    wait_until_ = deadline;
    timed_out_ = false;
    timer_.add(this);
    struct Remove {
        Stream* self;
        ~Remove() { self->timer_.remove(self); }
    } remove{this};
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
    while (!cut_) {
        if (ssl_) {
            ERR_clear_error();
            size_t got = 0;
            const int result = SSL_read_ex(ssl_.get(), into.data(), into.size(), &got);
            if (result == 1) co_return got;
            if (!co_await wait_for_ssl(result, deadline)) co_return 0;
            continue;
        }
        const ssize_t got = ::recv(socket_.native_handle(), into.data(), into.size(), 0);
        if (got >= 0) co_return static_cast<size_t>(got);
        if (errno == EAGAIN) {
            if (!co_await wait(Direction::read, deadline)) co_return 0;
        } else if (errno != EINTR) {
            co_return 0;
        }
    }
    co_return 0;
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
    Warmth warmth(file);
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
        if (warmth.has(static_cast<uint64_t>(at), slice)) send();
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
    const ssize_t warm = ::preadv2(file, &piece, 1, static_cast<off_t>(offset), RWF_NOWAIT);
    if (warm == static_cast<ssize_t>(length)) co_return true;
    bool whole = false;
    const auto read = [&] {
        size_t done = 0;
        while (done < length) {
            const ssize_t got =
                ::pread(file, out.data() + begin + done, length - done, static_cast<off_t>(offset + done));
            if (got > 0) done += static_cast<size_t>(got);
            else if (got == 0 || errno != EINTR) break;
        }
        whole = done == length;
    };
    if (warm < 0 && Warmth(file).has(offset, length)) read();
    else co_await offload(pool_, read);
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
