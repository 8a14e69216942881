#include "zcdp/net/pki.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <memory>

namespace zcdp::net {
namespace {

struct Free {
    void operator()(X509* p) const { X509_free(p); }
    void operator()(EVP_PKEY* p) const { EVP_PKEY_free(p); }
    void operator()(BIO* p) const { BIO_free(p); }
    void operator()(X509_EXTENSION* p) const { X509_EXTENSION_free(p); }
};
using X509Ptr = std::unique_ptr<X509, Free>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Free>;
using BioPtr = std::unique_ptr<BIO, Free>;

Error failed() {
    const char* reason = ERR_reason_error_string(ERR_get_error());
    ERR_clear_error();
    return Error(ErrorKind::failed, std::string("making a certificate failed: ") + (reason ? reason : "unknown"));
}

std::string text_of(BIO* bio) {
    char* data = nullptr;
    const long length = BIO_get_mem_data(bio, &data);
    return std::string(data, static_cast<size_t>(length));
}

Result<KeyPair> to_pem(X509* certificate, EVP_PKEY* key) {
    const BioPtr certificate_out(BIO_new(BIO_s_mem())), key_out(BIO_new(BIO_s_mem()));
    if (PEM_write_bio_X509(certificate_out.get(), certificate) != 1 ||
        PEM_write_bio_PKCS8PrivateKey(key_out.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1)
        return failed();
    return KeyPair{text_of(certificate_out.get()), text_of(key_out.get())};
}

X509Ptr read_certificate(const std::string& pem) {
    const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    return X509Ptr(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
}

bool add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    const std::unique_ptr<X509_EXTENSION, Free> extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
    return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

/// A certificate of this name and time with a random serial, not signed yet.
X509Ptr blank(const std::string& common_name, EVP_PKEY* key, int64_t now_unix_s, int days) {
    X509Ptr out(X509_new());
    unsigned char serial[16];
    if (!out || RAND_bytes(serial, sizeof serial) != 1) return nullptr;
    serial[0] &= 0x7f;
    BIGNUM* number = BN_bin2bn(serial, sizeof serial, nullptr);
    BN_to_ASN1_INTEGER(number, X509_get_serialNumber(out.get()));
    BN_free(number);
    X509_set_version(out.get(), 2);
    time_t now = now_unix_s;
    X509_time_adj_ex(X509_getm_notBefore(out.get()), 0, -3600, &now);
    X509_time_adj_ex(X509_getm_notAfter(out.get()), days, 0, &now);
    X509_set_pubkey(out.get(), key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(out.get()), "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1, 0);
    return out;
}

}  // namespace

Result<KeyPair> make_ca(const std::string& common_name, int64_t now_unix_s, int days) {
    const KeyPtr key(EVP_EC_gen("P-256"));
    const X509Ptr certificate = key ? blank(common_name, key.get(), now_unix_s, days) : nullptr;
    if (!certificate) return failed();
    X509* c = certificate.get();
    X509_set_issuer_name(c, X509_get_subject_name(c));
    if (!add_extension(c, c, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
        !add_extension(c, c, NID_key_usage, "critical,keyCertSign,cRLSign") ||
        !add_extension(c, c, NID_subject_key_identifier, "hash") || X509_sign(c, key.get(), EVP_sha256()) == 0)
        return failed();
    return to_pem(c, key.get());
}

namespace {

/// `usage` and `names` as OpenSSL's extension syntax has them; names may be empty.
Result<KeyPair> issue(const KeyPair& ca, const std::string& common_name, const char* usage, const std::string& names,
                      int64_t now_unix_s, int days) {
    const X509Ptr issuer = read_certificate(ca.certificate_pem);
    const BioPtr key_bio(BIO_new_mem_buf(ca.key_pem.data(), static_cast<int>(ca.key_pem.size())));
    const KeyPtr issuer_key(PEM_read_bio_PrivateKey(key_bio.get(), nullptr, nullptr, nullptr));
    const KeyPtr key(EVP_EC_gen("P-256"));
    const X509Ptr certificate = key ? blank(common_name, key.get(), now_unix_s, days) : nullptr;
    if (!issuer || !issuer_key || !certificate) return failed();
    X509* c = certificate.get();
    X509_set_issuer_name(c, X509_get_subject_name(issuer.get()));
    if (!add_extension(c, issuer.get(), NID_basic_constraints, "critical,CA:FALSE") ||
        !add_extension(c, issuer.get(), NID_key_usage, "critical,digitalSignature") ||
        !add_extension(c, issuer.get(), NID_ext_key_usage, usage) ||
        !add_extension(c, issuer.get(), NID_authority_key_identifier, "keyid") ||
        (!names.empty() && !add_extension(c, issuer.get(), NID_subject_alt_name, names)) ||
        X509_sign(c, issuer_key.get(), EVP_sha256()) == 0)
        return failed();
    return to_pem(c, key.get());
}

}  // namespace

Result<KeyPair> issue_certificate(const KeyPair& ca, const std::string& common_name,
                                  const std::vector<std::string>& dns_names, int64_t now_unix_s, int days) {
    std::string names;
    for (const std::string& name : dns_names) names += (names.empty() ? "DNS:" : ",DNS:") + name;
    return issue(ca, common_name, "serverAuth", names, now_unix_s, days);
}

Result<KeyPair> issue_client_certificate(const KeyPair& ca, const std::string& common_name, int64_t now_unix_s,
                                         int days) {
    return issue(ca, common_name, "clientAuth", {}, now_unix_s, days);
}

bool is_key_pair(const KeyPair& pair) {
    const X509Ptr certificate = read_certificate(pair.certificate_pem);
    const BioPtr bio(BIO_new_mem_buf(pair.key_pem.data(), static_cast<int>(pair.key_pem.size())));
    const KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
    const bool match = certificate && key && X509_check_private_key(certificate.get(), key.get()) == 1;
    ERR_clear_error();
    return match;
}

Result<int64_t> certificate_end(const std::string& certificate_pem) {
    const X509Ptr certificate = read_certificate(certificate_pem);
    ERR_clear_error();
    tm end{};
    if (!certificate || ASN1_TIME_to_tm(X509_get0_notAfter(certificate.get()), &end) != 1)
        return Error(ErrorKind::refused, "there is no certificate in the PEM");
    return int64_t{::timegm(&end)};
}

}  // namespace zcdp::net
