// TLS settings that cross layers. Trust roots, first that is there: `ca_bundle` (a flag), $SSL_CERT_FILE, the systems'
// known paths (Debian, RHEL, SUSE, Alpine, BSD), the bundle embedded in the executable. Peers are always verified,
// against the host name that was asked for (RFC 6125), TLS 1.2 or later.
#pragma once

#include <string>

namespace zcdp::net {

struct TlsOptions {
    std::string ca_bundle;  ///< PEM file; empty: search as above
};

}  // namespace zcdp::net
