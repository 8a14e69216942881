#include "src/services/serve/peer.hpp"

#include <poll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <vector>

namespace zcdp::services::serve {
namespace {

constexpr size_t kHeaderBytesMax = 16 << 10;
constexpr size_t kTlsPieceBytes = 256 << 10;
constexpr auto kLinger = std::chrono::seconds(2);
constexpr uint64_t kLingerBytesMax = 64 << 20;

}  // namespace

Result<TlsServer> make_tls_server(const std::string& certificate_file, const std::string& key_file) {
    TlsServer context(SSL_CTX_new(TLS_server_method()));
    if (!context) return Error(ErrorKind::failed, "TLS cannot be set up");
    SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
    SSL_CTX_set_mode(context.get(), SSL_MODE_AUTO_RETRY);
    if (SSL_CTX_use_certificate_chain_file(context.get(), certificate_file.c_str()) != 1)
        return Error(ErrorKind::usage, "is no certificate in PEM", certificate_file);
    if (SSL_CTX_use_PrivateKey_file(context.get(), key_file.c_str(), SSL_FILETYPE_PEM) != 1)
        return Error(ErrorKind::usage, "is no private key of the certificate", key_file);
    return context;
}

bool Peer::start_tls(SSL_CTX* context) {
    ssl_.reset(SSL_new(context));
    return ssl_ && SSL_set_fd(ssl_.get(), socket_.get()) == 1 && SSL_accept(ssl_.get()) == 1;
}

std::string Peer::next_header() {
    while (true) {
        while (buffer_.starts_with("\r\n")) buffer_.erase(0, 2);
        if (const size_t end = buffer_.find("\r\n\r\n"); end != buffer_.npos) {
            std::string header = buffer_.substr(0, end + 4);
            buffer_.erase(0, end + 4);
            return header;
        }
        if (buffer_.size() > kHeaderBytesMax || !receive()) return {};
    }
}

bool Peer::header_is_too_long() const { return buffer_.size() > kHeaderBytesMax; }

void Peer::linger() {
    if (ssl_) SSL_shutdown(ssl_.get());
    ::shutdown(socket_.get(), SHUT_WR);
    const auto until = std::chrono::steady_clock::now() + kLinger;
    uint64_t left = kLingerBytesMax;
    std::vector<char> unread(64 << 10);
    while (left > 0) {
        const auto wait =
            std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now()).count();
        pollfd ready{socket_.get(), POLLIN, 0};
        if (wait <= 0 || ::poll(&ready, 1, static_cast<int>(wait)) <= 0) return;
        const ssize_t got = ::recv(socket_.get(), unread.data(), unread.size(), 0);
        if (got <= 0) return;
        left -= std::min(left, static_cast<uint64_t>(got));
    }
}

bool Peer::skip(uint64_t bytes) {
    while (buffer_.size() < bytes) {
        bytes -= buffer_.size();
        buffer_.clear();
        if (!receive()) return false;
    }
    buffer_.erase(0, bytes);
    return true;
}

bool Peer::send(std::string_view bytes, bool more) {
    while (!bytes.empty()) {
        const ssize_t put =
            ssl_ ? SSL_write(ssl_.get(), bytes.data(), static_cast<int>(std::min<size_t>(bytes.size(), 1 << 30)))
                 : ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | (more ? MSG_MORE : 0));
        if (put < 0 && !ssl_ && errno == EINTR) continue;
        if (put <= 0) return false;
        bytes.remove_prefix(static_cast<size_t>(put));
    }
    return true;
}

bool Peer::send_file(int file, uint64_t offset, uint64_t length) {
    auto at = static_cast<off_t>(offset);
    std::vector<char> piece(ssl_ ? std::min<uint64_t>(length, kTlsPieceBytes) : 0);
    while (length > 0) {
        ssize_t put = 0;
        if (ssl_) {
            put = ::pread(file, piece.data(), std::min<uint64_t>(length, piece.size()), at);
            if (put > 0 && !send({piece.data(), static_cast<size_t>(put)}, false)) return false;
            if (put > 0) at += put;
        } else {
            put = ::sendfile(socket_.get(), file, &at, std::min<uint64_t>(length, 8 << 20));
        }
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) return false;  // 0: the file became shorter; the peer sees a body that is cut off
        length -= static_cast<uint64_t>(put);
    }
    return true;
}

bool Peer::receive() {
    char bytes[8192];
    while (true) {
        const ssize_t got =
            ssl_ ? SSL_read(ssl_.get(), bytes, sizeof bytes) : ::recv(socket_.get(), bytes, sizeof bytes, 0);
        if (got < 0 && !ssl_ && errno == EINTR) continue;
        if (got <= 0) return false;
        buffer_.append(bytes, static_cast<size_t>(got));
        return true;
    }
}

}  // namespace zcdp::services::serve
