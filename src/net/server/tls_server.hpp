// A server's side of TLS: its certificate, and whose certificates it knows. Thread rule: values; an SSL_CTX is shared.
#pragma once

#include <memory>

#include "src/net/tls_context.hpp"
#include "zcdp/net/server.hpp"

namespace zcdp::net::server {

/// TLS 1.2 or later with this certificate, and the client roots of `options`. Errors: usage.
Result<std::shared_ptr<SSL_CTX>> make_tls_server(const Options& options, const std::string& certificate_pem,
                                                 const std::string& key_pem);

}  // namespace zcdp::net::server
