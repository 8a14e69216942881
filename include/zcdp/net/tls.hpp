// TLS settings that cross layers. Trust roots, first that is there: `ca_bundle` (a flag), $SSL_CERT_FILE, the systems'
// known paths (Debian, RHEL, SUSE, Alpine, BSD), the bundle embedded in the executable. Peers are always verified,
// against the host name that was asked for (RFC 6125), TLS 1.2 or later.
#pragma once

#include <memory>
#include <string>

namespace zcdp::net {

struct TlsOptions {
    std::string ca_bundle;  ///< PEM file; empty: search as above
};

/// Loads the trust roots at the first connection; shared by any number of clients on any threads.
class TlsContext;
std::shared_ptr<TlsContext> make_tls_context(TlsOptions options);

}  // namespace zcdp::net
