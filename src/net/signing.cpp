#include "zcdp/net/signing.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <utility>

#include "src/net/client/client_identity.hpp"
#include "zcdp/base/faults.hpp"

namespace zcdp::net {
namespace {

struct Free : IdentityFree {
    using IdentityFree::operator();
    void operator()(BIO* bio) const { BIO_free(bio); }
    void operator()(X509_STORE* store) const { X509_STORE_free(store); }
    void operator()(X509_STORE_CTX* context) const { X509_STORE_CTX_free(context); }
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

std::string common_name(const X509* certificate) {
    const X509_NAME* subject = X509_get_subject_name(certificate);
    const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (at < 0) return "";
    const ASN1_STRING* text = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
    return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)), static_cast<size_t>(ASN1_STRING_length(text))};
}

}  // namespace

struct Signer::Key {
    std::unique_ptr<EVP_PKEY, IdentityFree> key;
};
struct Signatory::Key {
    Owned<X509> certificate;
};
struct TrustedCa::Roots {
    Owned<X509_STORE> store;
};

Result<Signer> Signer::make(const KeyPair& pair) {
    TlsOptions texts;
    texts.client_cert_pem = pair.certificate_pem, texts.client_key_pem = pair.key_pem;
    ZCDP_TRY(auto identity, parse_client_identity(texts));
    Signer signer;
    signer.name_ = common_name(identity.chain.front().get());
    signer.certificate_der_.resize(static_cast<size_t>(i2d_X509(identity.chain.front().get(), nullptr)));
    auto* out = reinterpret_cast<unsigned char*>(signer.certificate_der_.data());
    i2d_X509(identity.chain.front().get(), &out);
    signer.key_ = std::make_shared<const Key>(Key{std::move(identity.key)});
    return signer;
}

Result<std::string> Signer::sign(std::string_view text) const {
    const Owned<EVP_MD_CTX> context(EVP_MD_CTX_new());
    std::string signature(static_cast<size_t>(EVP_PKEY_get_size(key_->key.get())), '\0');
    size_t length = signature.size();
    const bool is_signed = context &&
                           EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key_->key.get()) == 1 &&
                           EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &length,
                                          bytes_of(text), text.size()) == 1;
    ERR_clear_error();
    if (!is_signed) return Error(ErrorKind::failed, "a text could not be signed", name_);
    signature.resize(length);
    return signature;
}

bool Signatory::has_signed(std::string_view text, std::string_view signature) const {
    const Owned<EVP_MD_CTX> context(EVP_MD_CTX_new());
    const bool is_signed =
        context &&
        EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr,
                             X509_get0_pubkey(key_->certificate.get())) == 1 &&
        EVP_DigestVerify(context.get(), bytes_of(signature), signature.size(), bytes_of(text), text.size()) == 1;
    ERR_clear_error();
    return is_signed;
}

Result<TrustedCa> TrustedCa::make(const std::string& ca_pem) {
    Owned<X509_STORE> store(X509_STORE_new());
    const Owned<BIO> bio(BIO_new_mem_buf(ca_pem.data(), static_cast<int>(ca_pem.size())));
    size_t count = 0;
    while (store && bio) {
        const Owned<X509> root(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
        if (!root) break;
        count += X509_STORE_add_cert(store.get(), root.get()) == 1;
    }
    ERR_clear_error();
    if (count == 0) return Error(ErrorKind::usage, "has no certificate of a CA", "the members' CA");
    X509_STORE_set_flags(store.get(), X509_V_FLAG_NO_CHECK_TIME);
    TrustedCa trusted;
    trusted.roots_ = std::make_shared<const Roots>(Roots{std::move(store)});
    return trusted;
}

Result<Signatory> TrustedCa::signatory(std::string_view certificate_der) const {
    const unsigned char* at = bytes_of(certificate_der);
    Owned<X509> certificate(d2i_X509(nullptr, &at, static_cast<long>(certificate_der.size())));
    const Owned<X509_STORE_CTX> context(X509_STORE_CTX_new());
    const bool is_whole = certificate && at == bytes_of(certificate_der) + certificate_der.size();
    const bool is_ours = is_whole && context &&
                         X509_STORE_CTX_init(context.get(), roots_->store.get(), certificate.get(), nullptr) == 1 &&
                         (X509_verify_cert(context.get()) == 1 || faults::broken("claim-certificate"));
    ERR_clear_error();
    if (!is_ours) return Error(ErrorKind::denied, "is not certified by the members' CA", "who signed");
    Signatory out;
    out.name_ = common_name(certificate.get());
    out.key_ = std::make_shared<const Signatory::Key>(Signatory::Key{std::move(certificate)});
    return out;
}

}  // namespace zcdp::net
