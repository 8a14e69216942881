// TLS settings that cross layers. Trust roots, first that is there: `ca_bundle` (a flag), $SSL_CERT_FILE, the systems'
// known paths (Debian, RHEL, SUSE, Alpine, BSD), the bundle embedded in the executable. Peers are always verified,
// against the host name that was asked for (RFC 6125), TLS 1.2 or later.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "zcdp/base/error.hpp"

namespace zcdp::net {

struct TlsOptions {
    std::string ca_bundle;  ///< PEM file; empty: search as above
    std::string ca_pem;     ///< PEM text: these roots and no others
    /// Who we are, for servers that ask; without a key it is beside the certificate
    std::string client_cert_pem, client_key_pem;
    std::string client_cert_name, client_key_name;  ///< the files that they come from, for errors
    std::string server_name;                        ///< verified instead of the host, where an endpoint has no tls_name
    bool insecure_skip_verify = false;              ///< only where a kubeconfig says so
};

/// Loads the trust roots at the first connection; shared by any number of clients on any threads.
class TlsContext;
std::shared_ptr<TlsContext> make_tls_context(TlsOptions options);

/// Whether what `options` says of the client can be used at `now`, before anybody is asked. Pure. Errors: usage (no
/// PEM, a key with a passphrase or of another certificate), denied (the certificate's time is over, or has not come).
Result<> check_client_identity(const TlsOptions& options, int64_t now_unix_s);

}  // namespace zcdp::net
