#include "src/net/client/client_identity.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <algorithm>
#include <cstring>
#include <ctime>

namespace zcdp::net {
namespace {

struct BioFree {
    void operator()(BIO* bio) const { BIO_free(bio); }
};
using BioPtr = std::unique_ptr<BIO, BioFree>;

BioPtr reader_of(const std::string& pem) { return BioPtr(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))); }

/// Instead of OpenSSL's own, which would stop everything and ask the terminal.
int note_passphrase(char*, int, int, void* asked) {
    *static_cast<bool*>(asked) = true;
    return -1;
}

std::string name_or(const std::string& name, const char* otherwise) { return name.empty() ? otherwise : name; }

Result<> read_chain(const TlsOptions& options, ClientIdentity& out) {
    const std::string name = name_or(options.client_cert_name, "the client certificate");
    const BioPtr bio = reader_of(options.client_cert_pem);
    ERR_clear_error();
    while (X509* certificate = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr))
        out.chain.emplace_back(certificate);
    const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    ERR_clear_error();
    if (!at_end) return Error(ErrorKind::usage, "holds a certificate that is broken", name, "get the file anew");
    if (out.chain.empty())
        return Error(ErrorKind::usage, "holds no certificate in PEM", name,
                     "name a file with -----BEGIN CERTIFICATE-----");
    return {};
}

Result<> read_key(const TlsOptions& options, ClientIdentity& out) {
    const bool beside = options.client_key_pem.empty();
    const std::string name = beside ? name_or(options.client_cert_name, "the client certificate")
                                    : name_or(options.client_key_name, "the client's private key");
    const BioPtr bio = reader_of(beside ? options.client_cert_pem : options.client_key_pem);
    bool asked = false;
    out.key.reset(PEM_read_bio_PrivateKey(bio.get(), nullptr, note_passphrase, &asked));
    ERR_clear_error();
    if (asked)
        return Error(ErrorKind::usage, "is encrypted with a passphrase, which zcdp does not ask for", name,
                     "write the key without one: openssl pkey -in FILE -out KEYFILE");
    if (!out.key && beside)
        return Error(ErrorKind::usage, "holds no private key beside the certificate", name,
                     "name the key's file with --client-key");
    if (!out.key)
        return Error(ErrorKind::usage, "holds no private key in PEM", name,
                     "name a file with -----BEGIN PRIVATE KEY-----");
    const bool pair = X509_check_private_key(out.chain.front().get(), out.key.get()) == 1;
    ERR_clear_error();
    if (!pair)
        return Error(
            ErrorKind::usage,
            "is not the key of the certificate in " + name_or(options.client_cert_name, "the client certificate"), name,
            "name the two files that were made together");
    return {};
}

std::string date_of(const ASN1_TIME* time) {
    std::tm parts{};
    char text[32] = "";
    if (ASN1_TIME_to_tm(time, &parts) == 1) std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts);
    return text;
}

/// The alerts that speak of the client's certificate; handshake_failure is TLS 1.2's word for a missing one.
bool is_about_client(int reason) {
    static constexpr int kAlerts[] = {SSL_AD_HANDSHAKE_FAILURE,   SSL_AD_NO_CERTIFICATE,
                                      SSL_AD_BAD_CERTIFICATE,     SSL_AD_UNSUPPORTED_CERTIFICATE,
                                      SSL_AD_CERTIFICATE_REVOKED, SSL_AD_CERTIFICATE_EXPIRED,
                                      SSL_AD_CERTIFICATE_UNKNOWN, SSL_AD_UNKNOWN_CA,
                                      SSL_AD_ACCESS_DENIED,       SSL_AD_CERTIFICATE_REQUIRED};
    return std::find(std::begin(kAlerts), std::end(kAlerts), reason - SSL_AD_REASON_OFFSET) != std::end(kAlerts);
}

char was_asked;  // its address is the mark

}  // namespace

Result<ClientIdentity> parse_client_identity(const TlsOptions& options) {
    ClientIdentity out;
    ZCDP_CHECK(read_chain(options, out));
    ZCDP_CHECK(read_key(options, out));
    return out;
}

Result<> check_client_identity(const TlsOptions& options, int64_t now_unix_s) {
    if (options.client_cert_pem.empty()) {
        if (options.client_key_pem.empty()) return {};
        return Error(ErrorKind::usage, "is a key without its certificate",
                     name_or(options.client_key_name, "the client's private key"),
                     "name the certificate with --client-cert");
    }
    ZCDP_TRY(const auto identity, parse_client_identity(options));
    const X509* own = identity.chain.front().get();
    const std::string name = name_or(options.client_cert_name, "the client certificate");
    std::time_t now = now_unix_s;
    if (X509_cmp_time(X509_get0_notAfter(own), &now) < 0)
        return Error(ErrorKind::denied, "the client certificate ended on " + date_of(X509_get0_notAfter(own)), name,
                     "renew it");
    if (X509_cmp_time(X509_get0_notBefore(own), &now) > 0)
        return Error(ErrorKind::denied, "the client certificate begins on " + date_of(X509_get0_notBefore(own)), name,
                     "check this machine's clock, or wait");
    return {};
}

void watch_client_requests(SSL_CTX* context) {
    SSL_CTX_set_cert_cb(context, [](SSL* ssl, void*) { return SSL_set_app_data(ssl, &was_asked); }, nullptr);
}

std::optional<Error> client_refused(SSL* ssl, unsigned long code) {
    if (!ssl || SSL_get_app_data(ssl) != &was_asked || ERR_GET_LIB(code) != ERR_LIB_SSL ||
        !is_about_client(ERR_GET_REASON(code)))
        return std::nullopt;
    const char* text = ERR_reason_error_string(code);
    const char* alert = text ? std::strstr(text, "alert ") : nullptr;
    const std::string why = alert ? std::string(" (TLS ") + alert + ")" : "";
    if (SSL_get_certificate(ssl))
        return Error(ErrorKind::denied, "the server refuses the client certificate" + why, "",
                     "check its dates, and that the server trusts who signed it");
    return Error(ErrorKind::denied, "the server wants a client certificate" + why, "",
                 "name one with --client-cert and --client-key");
}

}  // namespace zcdp::net
