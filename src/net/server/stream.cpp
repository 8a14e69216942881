#include "src/net/server/stream.hpp"

#include <openssl/err.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/redirect_error.hpp>
#include <cerrno>
#include <memory>
#include <vector>

namespace zcdp::net::server {
namespace {

constexpr auto kTick = std::chrono::milliseconds(50);
constexpr size_t kSliceBytes = 1 << 20;  ///< between two looks at the other connections
constexpr size_t kTlsSliceBytes = 256 << 10;
constexpr uint64_t kLingerMs = 2'000, kLingerBytesMax = 64 << 20;

/// Reads what the kernel has in memory; -1 and EAGAIN when it has none of it, or the file system cannot tell.
ssize_t read_cached(int file, std::span<char> into, uint64_t offset) {
    iovec piece{into.data(), into.size()};
    return ::preadv2(file, &piece, 1, static_cast<off_t>(offset), RWF_NOWAIT);
}

/// Of one byte; what is beyond the end costs nothing to find out.
bool is_cached(int file, uint64_t offset) {
    char byte = 0;
    return read_cached(file, {&byte, 1}, offset) >= 0;
}

/// Which parts of a file can be sent without waiting for a disk, as far as a look at their ends can tell.
class Residence {
  public:
    explicit Residence(const FileRange& range) : file_(range.file.get()), only_memory_(range.only_memory) {}
    /// To be asked from part to part, in order.
    bool in_memory(uint64_t offset, uint64_t length) {
        const uint64_t end = offset + length;
        if (only_memory_ || end <= seen_to_) return true;
        // What lies right behind what was seen was read ahead with it.
        const bool begins = (seen_to_ > 0 && offset <= seen_to_) || is_cached(file_, offset);
        const bool both = begins && is_cached(file_, end - 1);
        seen_to_ = both ? end : 0;
        return both;
    }

  private:
    const int file_;
    const bool only_memory_;
    uint64_t seen_to_ = 0;  ///< 0: nothing, or no longer
};

/// Reads all of it; may block. False when the file has not that much.
bool read_whole(int file, std::span<char> into, uint64_t offset) {
    while (!into.empty()) {
        const ssize_t got = ::pread(file, into.data(), into.size(), static_cast<off_t>(offset));
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return false;
        into = into.subspan(static_cast<size_t>(got)), offset += static_cast<uint64_t>(got);
    }
    return true;
}

}  // namespace

void WaitTimer::add(Stream& stream) {
    stream.place_ = streams_.size();
    streams_.push_back(&stream);
}

void WaitTimer::remove(Stream& stream) {
    streams_.back()->place_ = stream.place_;
    streams_[stream.place_] = streams_.back();
    streams_.pop_back();
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
    for (Stream* stream : streams_) {
        if (stream->wait_until_.at() > now) {
            earliest = std::min(earliest, stream->wait_until_.at());
            continue;
        }
        stream->timed_out_ = true;
        stream->wait_until_ = Deadline::never();
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
        stream_.timer_.expect(deadline);
    }
    ~Waiting() { stream_.wait_until_ = Deadline::never(); }
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

std::optional<Stream::Direction> Stream::wanted_by_tls(int result) {
    switch (SSL_get_error(ssl_.get(), result)) {
        case SSL_ERROR_WANT_READ: return Direction::read;
        case SSL_ERROR_WANT_WRITE: return Direction::write;
        default: ERR_clear_error(); return std::nullopt;
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
        const auto wanted = wanted_by_tls(result);
        if (!wanted || !co_await wait(*wanted, deadline)) co_return false;
    }
}

Task<size_t> Stream::read_some(std::span<char> into, Deadline deadline) {
    timed_out_ = false;
    return ssl_ ? receive_tls(into, deadline) : receive(into, deadline);
}

Task<size_t> Stream::receive_tls(std::span<char> into, Deadline deadline) {
    while (!cut_) {
        ERR_clear_error();
        size_t got = 0;
        const int result = SSL_read_ex(ssl_.get(), into.data(), into.size(), &got);
        if (result == 1) co_return got;
        const auto wanted = wanted_by_tls(result);
        if (!wanted || !co_await wait(*wanted, deadline)) break;
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

bool Stream::write_now(std::string_view& bytes, bool more) {
    while (!bytes.empty()) {
        if (cut_) return false;
        if (ssl_) {
            ERR_clear_error();
            size_t put = 0;
            const int result = SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &put);
            bytes.remove_prefix(put);
            if (result == 1) continue;
            const auto wanted = wanted_by_tls(result);
            blocked_on_ = wanted.value_or(Direction::write);
            return wanted.has_value();
        }
        const ssize_t put =
            ::send(socket_.native_handle(), bytes.data(), bytes.size(), MSG_NOSIGNAL | (more ? MSG_MORE : 0));
        if (put >= 0) {
            bytes.remove_prefix(static_cast<size_t>(put));
        } else if (errno != EINTR) {
            blocked_on_ = Direction::write;
            return errno == EAGAIN;
        }
    }
    return true;
}

Task<bool> Stream::write(std::string_view bytes, bool more, uint64_t progress_ms) {
    while (true) {
        if (!write_now(bytes, more)) co_return false;
        if (bytes.empty()) co_return true;
        if (!co_await wait(blocked_on_, Deadline::in_ms(progress_ms))) co_return false;
    }
}

Task<bool> Stream::write_file(const FileRange& range, uint64_t progress_ms) {
    return ssl_ ? send_file_tls(range, progress_ms) : send_file_plain(range, progress_ms);
}

Task<bool> Stream::send_file_plain(const FileRange& range, uint64_t progress_ms) {
    Residence residence(range);
    uint64_t length = range.length;
    auto at = static_cast<off_t>(range.offset);
    while (length > 0) {
        if (cut_) co_return false;
        const size_t slice = std::min<uint64_t>(length, kSliceBytes);
        int error = 0;
        ssize_t put = 0;
        const auto send = [&, this] {
            put = ::sendfile(socket_.native_handle(), range.file.get(), &at, slice);
            error = put < 0 ? errno : 0;
        };
        if (residence.in_memory(static_cast<uint64_t>(at), slice)) send();
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

Task<bool> Stream::send_file_tls(const FileRange& range, uint64_t progress_ms) {
    const size_t room = std::min<uint64_t>(range.length, kTlsSliceBytes);
    const auto buffer = std::make_unique_for_overwrite<char[]>(room);
    for (uint64_t done = 0; done < range.length;) {
        const std::span<char> piece(buffer.get(), std::min<uint64_t>(range.length - done, room));
        auto read = read_file_now(piece, range, done);
        if (!read) read = co_await read_file(piece, range, done);
        if (!*read) co_return false;
        if (!co_await write({piece.data(), piece.size()}, false, progress_ms)) co_return false;
        done += piece.size();
    }
    co_return true;
}

std::optional<bool> Stream::read_file_now(std::span<char> into, const FileRange& range, uint64_t from) {
    if (range.only_memory) return read_whole(range.file.get(), into, range.offset + from);
    const ssize_t got = read_cached(range.file.get(), into, range.offset + from);
    return got == static_cast<ssize_t>(into.size()) ? std::optional(true) : std::nullopt;
}

Task<bool> Stream::read_file(std::span<char> into, const FileRange& range, uint64_t from) {
    const auto read = [&] { return read_whole(range.file.get(), into, range.offset + from); };
    co_return co_await offload(pool_, read);
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
