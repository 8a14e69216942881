#include "src/net/tls_context.hpp"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <cstdlib>

#include "src/net/client/client_identity.hpp"
#include "zcdp/base/faults.hpp"

// The build machine's CA bundle, for containers that have none.
asm(R"(
.pushsection .rodata
.global zcdp_ca_bundle_begin
zcdp_ca_bundle_begin:
.incbin ")" ZCDP_CA_BUNDLE R"("
.global zcdp_ca_bundle_end
zcdp_ca_bundle_end:
.popsection
)");
extern "C" const char zcdp_ca_bundle_begin[], zcdp_ca_bundle_end[];

namespace zcdp::net {
namespace {

/// Debian, Alpine; Fedora, RHEL; SUSE; older RHEL; FreeBSD.
constexpr const char* kKnownBundles[] = {
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
};

/// OpenSSL's own way costs two reads of the socket for each record of 16 KiB, one of them for its header.
constexpr size_t kReadAheadBytes = 64 << 10;

bool load_file(SSL_CTX* context, const std::string& path) {
    return SSL_CTX_load_verify_locations(context, path.c_str(), nullptr) == 1;
}

bool load_roots_from(SSL_CTX* context, std::string_view pem) {
    BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
    if (!bio) return false;
    X509_STORE* store = SSL_CTX_get_cert_store(context);
    int count = 0;
    while (X509* certificate = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr)) {
        count += X509_STORE_add_cert(store, certificate);
        X509_free(certificate);
    }
    BIO_free(bio);
    ERR_clear_error();  // the end of the bundle
    return count > 0;
}

Result<> use_client(SSL_CTX* context, const TlsOptions& options) {
    ZCDP_TRY(const auto identity, parse_client_identity(options));
    bool good = SSL_CTX_use_certificate(context, identity.chain.front().get()) == 1;
    for (size_t i = 1; good && i < identity.chain.size(); ++i)
        good = SSL_CTX_add1_chain_cert(context, identity.chain[i].get()) == 1;
    if (good && SSL_CTX_use_PrivateKey(context, identity.key.get()) == 1) return {};
    return Error(ErrorKind::usage, "the client certificate cannot be used: " + tls_error(nullptr),
                 options.client_cert_name);
}

bool is_address(const std::string& host) {
    unsigned char bytes[16];
    return ::inet_pton(AF_INET, host.c_str(), bytes) == 1 || ::inet_pton(AF_INET6, host.c_str(), bytes) == 1;
}

/// AES-128 before AES-256, as browsers and Go ask for it: 10 rounds of a cipher instead of 14 for each byte. What the
/// system's policy (openssl.cnf) leaves out stays out.
void prefer_aes_128(SSL_CTX* context) {
    const STACK_OF(SSL_CIPHER)* const allowed = SSL_CTX_get_ciphers(context);
    std::string names;
    for (int i = 0; i < sk_SSL_CIPHER_num(allowed); ++i) {
        const SSL_CIPHER* const cipher = sk_SSL_CIPHER_value(allowed, i);
        const std::string name = SSL_CIPHER_get_name(cipher);
        if (SSL_CIPHER_get_protocol_id(cipher) >> 8 != 0x13) continue;  // not of TLS 1.3 (RFC 8446 B.4)
        names = names.empty() ? name : name == TLS1_3_RFC_AES_128_GCM_SHA256 ? name + ":" + names : names + ":" + name;
    }
    if (!names.empty()) SSL_CTX_set_ciphersuites(context, names.c_str());
}

}  // namespace

std::shared_ptr<TlsContext> make_tls_context(TlsOptions options) {
    return std::make_shared<TlsContext>(std::move(options));
}

std::string tls_error(SSL* ssl) {
    if (ssl)
        if (const long verdict = SSL_get_verify_result(ssl); verdict != X509_V_OK)
            return std::string("the certificate is refused: ") + X509_verify_cert_error_string(verdict);
    const unsigned long code = ERR_peek_last_error();
    ERR_clear_error();
    if (code == 0) return "TLS: the connection was closed";
    const char* reason = ERR_reason_error_string(code);
    return std::string("TLS: ") + (reason ? reason : "unknown error");
}

Error tls_failure(SSL* ssl) {
    if (auto refused = client_refused(ssl, ERR_peek_last_error())) {
        ERR_clear_error();
        return std::move(*refused);
    }
    return Error(ErrorKind::unreachable, tls_error(ssl));
}

Result<> TlsContext::load_roots() {
    if (!options_.ca_pem.empty()) {
        if (load_roots_from(context_.get(), options_.ca_pem)) return {};
        return Error(ErrorKind::usage, "the CA certificate is no PEM");
    }
    if (!options_.ca_bundle.empty()) {
        if (load_file(context_.get(), options_.ca_bundle)) return {};
        ERR_clear_error();
        return Error(ErrorKind::usage, "cannot be read as a PEM bundle of CA certificates", options_.ca_bundle,
                     "check --ca-bundle");
    }
    if (const char* file = std::getenv("SSL_CERT_FILE"); file && *file) {
        if (load_file(context_.get(), file)) return {};
        ERR_clear_error();
        return Error(ErrorKind::usage, "cannot be read as a PEM bundle of CA certificates", file,
                     "check $SSL_CERT_FILE");
    }
    for (const char* path : kKnownBundles)
        if (::access(path, R_OK) == 0 && load_file(context_.get(), path)) return {};
    ERR_clear_error();
    const std::string_view embedded(zcdp_ca_bundle_begin,
                                    static_cast<size_t>(zcdp_ca_bundle_end - zcdp_ca_bundle_begin));
    if (load_roots_from(context_.get(), embedded)) return {};
    return Error(ErrorKind::failed, "no CA certificates were found", "", "name a bundle with --ca-bundle");
}

Result<> TlsContext::load() {
    context_.reset(SSL_CTX_new(TLS_client_method()));
    if (!context_) return Error(ErrorKind::failed, tls_error(nullptr));
    SSL_CTX_set_min_proto_version(context_.get(), TLS1_2_VERSION);
    SSL_CTX_set_verify(context_.get(), options_.insecure_skip_verify ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_mode(context_.get(),
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(context_.get(), 1);
    SSL_CTX_set_default_read_buffer_len(context_.get(), kReadAheadBytes);
    prefer_aes_128(context_.get());
    Result<> loaded = load_roots();
    if (loaded && !options_.client_cert_pem.empty()) loaded = use_client(context_.get(), options_);
    watch_client_requests(context_.get());
    if (!loaded) context_.reset();
    return loaded;
}

Result<SslPtr> TlsContext::connection(const Endpoint& endpoint) {
    const bool is_named = !endpoint.tls_name.empty();
    std::string host = is_named                        ? endpoint.tls_name
                       : !options_.server_name.empty() ? options_.server_name
                                                       : endpoint.host;
    if (host.size() > 1 && host.ends_with('.'))
        host.pop_back();  // the name's end for a resolver; no part of it in a certificate or SNI
    const MutexLock lock(mutex_);
    if (!context_) ZCDP_CHECK(load());
    SslPtr ssl(SSL_new(context_.get()));
    if (!ssl) return Error(ErrorKind::failed, tls_error(nullptr));
    X509_VERIFY_PARAM* const wanted = SSL_get0_param(ssl.get());
    X509_VERIFY_PARAM_set_hostflags(wanted, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    // A node may be called by an address, which is a DNS name in its certificate: SSL_set1_host would ask for an IP.
    const bool is_ip = is_address(host);
    if (is_ip && !is_named) X509_VERIFY_PARAM_set1_ip_asc(wanted, host.c_str());
    else if (!is_named || !faults::broken("peer-name")) X509_VERIFY_PARAM_set1_host(wanted, host.c_str(), host.size());
    if (!is_ip) SSL_set_tlsext_host_name(ssl.get(), host.c_str());
    return ssl;
}

}  // namespace zcdp::net
