// A server's side of TLS: its certificate, and whose certificates it knows. Thread rule: values; an SSL_CTX is shared.
#pragma once

#include <memory>
#include <string>

#include "src/net/tls_context.hpp"
#include "zcdp/net/server.hpp"

namespace zcdp::net::server {

/// Whose certificates a server knows.
struct ClientRoots {
    std::string ca_pem;  ///< "": nobody's
    bool required = false;
};

/// TLS 1.2 or later with this certificate. Errors: usage.
Result<std::shared_ptr<SSL_CTX>> make_tls_server(const ClientRoots& clients, const std::string& certificate_pem,
                                                 const std::string& key_pem);

}  // namespace zcdp::net::server
