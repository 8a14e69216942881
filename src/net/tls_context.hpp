// One SSL_CTX for all connections: TLS 1.2 or later, peers always verified. Thread rule: any thread.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "zcdp/base/error.hpp"
#include "zcdp/base/guarded.hpp"
#include "zcdp/net/endpoint.hpp"
#include "zcdp/net/tls.hpp"

namespace zcdp::net {

struct SslFree {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using SslPtr = std::unique_ptr<SSL, SslFree>;

class TlsContext {
  public:
    explicit TlsContext(TlsOptions options) : options_(std::move(options)) {}
    /// A connection's state, set to verify the endpoint's name, else the options', else its host. Errors: usage (the CA
    /// bundle cannot be read).
    Result<SslPtr> connection(const Endpoint& endpoint);

  private:
    Result<> load() ZCDP_REQUIRES(mutex_);
    Result<> load_roots() ZCDP_REQUIRES(mutex_);
    const TlsOptions options_;
    Mutex mutex_;
    std::unique_ptr<SSL_CTX, SslFree> context_ ZCDP_GUARDED_BY(mutex_);
};

/// OpenSSL's last error of this thread in words; what it says of a certificate first.
std::string tls_error(SSL* ssl);
/// The same as an Error: denied, with advice, when the server refuses the client's certificate, else unreachable.
Error tls_failure(SSL* ssl);

}  // namespace zcdp::net
