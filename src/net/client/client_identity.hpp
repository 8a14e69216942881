// The client's side of mutual TLS: its certificate, those that signed it, and its private key. Pure; thread rule: any
// thread.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <optional>
#include <vector>

#include "zcdp/net/tls.hpp"

namespace zcdp::net {

struct IdentityFree {
    void operator()(X509* certificate) const { X509_free(certificate); }
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
struct ClientIdentity {
    std::vector<std::unique_ptr<X509, IdentityFree>> chain;  ///< the client's own first
    std::unique_ptr<EVP_PKEY, IdentityFree> key;
};

/// Never asks a terminal for a passphrase. Errors: usage, with the name of the file that is at fault.
Result<ClientIdentity> parse_client_identity(const TlsOptions& options);

/// Notes on each connection of `context` whether its server asks who we are.
void watch_client_requests(SSL_CTX* context);
/// An alert by which a server refuses the client's certificate, or misses one, in words; with TLS 1.3 it comes after
/// the handshake, with the first read (RFC 8446 4.4.2.4). `code`: OpenSSL's. Nothing when it is something else.
std::optional<Error> client_refused(SSL* ssl, unsigned long code);

}  // namespace zcdp::net
