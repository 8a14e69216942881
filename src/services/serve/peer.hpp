// One connection of the server: blocking reads and writes with the socket's own timeouts, with TLS on it or not.
// Thread rule: one thread a peer.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <string_view>

#include "zcdp/base/error.hpp"
#include "zcdp/base/fs.hpp"

namespace zcdp::services::serve {

struct FreeSsl {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using TlsServer = std::unique_ptr<SSL_CTX, FreeSsl>;

/// TLS 1.2 and later with this certificate (PEM, with its chain) and key. Errors: usage.
Result<TlsServer> make_tls_server(const std::string& certificate_file, const std::string& key_file);

class Peer {
  public:
    explicit Peer(Fd socket) : socket_(std::move(socket)) {}
    /// The handshake; false when it fails.
    bool start_tls(SSL_CTX* context);

    /// The next request's header with its empty line; "" when the peer is gone, silent or sends nonsense at length.
    /// Empty lines before it are passed over (RFC 9112 2.2).
    std::string next_header();
    /// Whether that was because it has no end within the limit.
    bool header_is_too_long() const;
    /// Passes over a request's body.
    bool skip(uint64_t bytes);
    /// After an answer to what was not read: waits a moment until the peer has seen it. To close a socket with bytes
    /// unread would reset the connection, and may take the answer with it.
    void linger();
    /// `more`: another part follows at once.
    bool send(std::string_view bytes, bool more);
    /// sendfile(2), or through a buffer where there is TLS. False also when the file became shorter.
    bool send_file(int file, uint64_t offset, uint64_t length);

  private:
    bool receive();
    Fd socket_;
    std::unique_ptr<SSL, FreeSsl> ssl_;
    std::string buffer_;
};

}  // namespace zcdp::services::serve
