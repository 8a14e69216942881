#include "src/net/server/tls_server.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>

namespace zcdp::net::server {
namespace {

struct Free {
    void operator()(BIO* bio) const { BIO_free(bio); }
    void operator()(X509* certificate) const { X509_free(certificate); }
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

/// Who resumes a session must have been known under the same rules.
constexpr unsigned char kSessions[] = "zcdp";

/// No certificate asks at a terminal for its key's passphrase.
int no_passphrase(char*, int, int, void*) { return -1; }

Owned<BIO> reader(const std::string& pem) {
    return Owned<BIO>(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

Owned<X509> next_certificate(BIO* pem) { return Owned<X509>(PEM_read_bio_X509(pem, nullptr, no_passphrase, nullptr)); }

bool use_chain(SSL_CTX* context, const std::string& pem) {
    const auto bio = reader(pem);
    const auto own = next_certificate(bio.get());
    if (!own || SSL_CTX_use_certificate(context, own.get()) != 1) return false;
    while (const auto above = next_certificate(bio.get()))
        if (SSL_CTX_add1_chain_cert(context, above.get()) != 1) return false;
    ERR_clear_error();  // the text's end
    return true;
}

bool use_key(SSL_CTX* context, const std::string& pem) {
    const auto bio = reader(pem);
    const Owned<EVP_PKEY> key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
    return key && SSL_CTX_use_PrivateKey(context, key.get()) == 1 && SSL_CTX_check_private_key(context) == 1;
}

bool trust_clients(SSL_CTX* context, const std::string& pem, bool required) {
    const auto bio = reader(pem);
    size_t roots = 0;
    for (; const auto root = next_certificate(bio.get()); ++roots) {
        if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), root.get()) != 1) return false;
        if (SSL_CTX_add_client_CA(context, root.get()) != 1) return false;
    }
    ERR_clear_error();
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), nullptr);
    return roots > 0;
}

Error unusable(std::string_view what) {
    const unsigned long code = ERR_peek_last_error();
    ERR_clear_error();
    const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
    return Error(ErrorKind::usage, std::string(what) + (reason ? std::string(": ") + reason : std::string()));
}

}  // namespace

Result<std::shared_ptr<SSL_CTX>> make_tls_server(const ClientRoots& clients, const std::string& certificate_pem,
                                                 const std::string& key_pem) {
    ERR_clear_error();
    const std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), SslFree());
    if (!context) return Error(ErrorKind::failed, "TLS cannot be set up");
    SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
    SSL_CTX_set_mode(context.get(), SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_id_context(context.get(), kSessions, sizeof kSessions - 1);
    if (!use_chain(context.get(), certificate_pem) || !use_key(context.get(), key_pem))
        return unusable("the server's certificate cannot be used");
    if (!clients.ca_pem.empty() && !trust_clients(context.get(), clients.ca_pem, clients.required))
        return unusable("the clients' CA certificates cannot be used");
    return context;
}

}  // namespace zcdp::net::server
