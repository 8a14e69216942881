#include "zcdp/net/pki.hpp"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <memory>

#include "zcdp/base/ascii.hpp"

namespace zcdp::net {
namespace {

struct Free {
    void operator()(X509* p) const { X509_free(p); }
    void operator()(X509_REQ* p) const { X509_REQ_free(p); }
    void operator()(EVP_PKEY* p) const { EVP_PKEY_free(p); }
    void operator()(BIO* p) const { BIO_free(p); }
    void operator()(X509_EXTENSION* p) const { X509_EXTENSION_free(p); }
};
using X509Ptr = std::unique_ptr<X509, Free>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Free>;
using RequestPtr = std::unique_ptr<X509_REQ, Free>;
using BioPtr = std::unique_ptr<BIO, Free>;

constexpr int64_t kDayS = 86'400;
constexpr size_t kRequestBytesMax = 16 << 10, kNameBytesMax = 253, kPemBytesMax = 1 << 20;

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

/// What `write` (OpenSSL's PEM_write_bio_…) makes of it.
template <class Write>
Result<std::string> to_pem(const Write& write) {
    const BioPtr out(BIO_new(BIO_s_mem()));
    if (write(out.get()) != 1) return failed();
    return text_of(out.get());
}

Result<std::string> certificate_pem(X509* certificate) {
    return to_pem([&](BIO* out) { return PEM_write_bio_X509(out, certificate); });
}

Result<std::string> key_pem(EVP_PKEY* key) {
    return to_pem(
        [&](BIO* out) { return PEM_write_bio_PKCS8PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr); });
}

Result<KeyPair> pair_of(X509* certificate, EVP_PKEY* key) {
    ZCDP_TRY(auto first, certificate_pem(certificate));
    ZCDP_TRY(auto second, key_pem(key));
    return KeyPair{std::move(first), std::move(second)};
}

BioPtr reader_of(const std::string& pem) { return BioPtr(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))); }

X509Ptr read_certificate(const std::string& pem) {
    return X509Ptr(PEM_read_bio_X509(reader_of(pem).get(), nullptr, nullptr, nullptr));
}

KeyPtr read_key(const std::string& pem) {
    return KeyPtr(PEM_read_bio_PrivateKey(reader_of(pem).get(), nullptr, nullptr, nullptr));
}

bool add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    const std::unique_ptr<X509_EXTENSION, Free> extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
    return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

/// By its type, not by MBSTRING_UTF8: a node's name may be longer than the 64 characters of RFC 5280's upper bounds,
/// which verifiers do not look at.
bool set_common_name(X509_NAME* name, const std::string& common_name) {
    return X509_NAME_add_entry_by_NID(name, NID_commonName, V_ASN1_UTF8STRING,
                                      reinterpret_cast<const unsigned char*>(common_name.data()),
                                      static_cast<int>(common_name.size()), -1, 0) == 1;
}

/// A certificate of this name and time with a random serial, not signed yet.
X509Ptr blank(const std::string& common_name, EVP_PKEY* key, int64_t now_unix_s, int64_t valid_s) {
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
    X509_time_adj_ex(X509_getm_notAfter(out.get()), static_cast<int>(valid_s / kDayS),
                     static_cast<long>(valid_s % kDayS), &now);
    X509_set_pubkey(out.get(), key);
    if (!set_common_name(X509_get_subject_name(out.get()), common_name)) return nullptr;
    return out;
}

}  // namespace

Result<KeyPair> make_ca(const std::string& common_name, int64_t now_unix_s, int days) {
    const KeyPtr key(EVP_EC_gen("P-256"));
    const X509Ptr certificate = key ? blank(common_name, key.get(), now_unix_s, days * kDayS) : nullptr;
    if (!certificate) return failed();
    X509* c = certificate.get();
    X509_set_issuer_name(c, X509_get_subject_name(c));
    if (!add_extension(c, c, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
        !add_extension(c, c, NID_key_usage, "critical,keyCertSign,cRLSign") ||
        !add_extension(c, c, NID_subject_key_identifier, "hash") || X509_sign(c, key.get(), EVP_sha256()) == 0)
        return failed();
    return pair_of(c, key.get());
}

namespace {

/// Of whom, for what, for how long; `usage` and `names` as OpenSSL's extension syntax has them, names may be empty.
struct Terms {
    std::string common_name;
    const char* usage;
    std::string names;
    int64_t now_unix_s, valid_s;
};

Result<X509Ptr> sign(const KeyPair& ca, EVP_PKEY* key, const Terms& terms) {
    const X509Ptr issuer = read_certificate(ca.certificate_pem);
    const KeyPtr issuer_key = read_key(ca.key_pem);
    X509Ptr certificate = key ? blank(terms.common_name, key, terms.now_unix_s, terms.valid_s) : nullptr;
    if (!issuer || !issuer_key || !certificate) return failed();
    X509* c = certificate.get();
    X509_set_issuer_name(c, X509_get_subject_name(issuer.get()));
    if (!add_extension(c, issuer.get(), NID_basic_constraints, "critical,CA:FALSE") ||
        !add_extension(c, issuer.get(), NID_key_usage, "critical,digitalSignature") ||
        !add_extension(c, issuer.get(), NID_ext_key_usage, terms.usage) ||
        !add_extension(c, issuer.get(), NID_authority_key_identifier, "keyid") ||
        (!terms.names.empty() && !add_extension(c, issuer.get(), NID_subject_alt_name, terms.names)) ||
        X509_sign(c, issuer_key.get(), EVP_sha256()) == 0)
        return failed();
    return certificate;
}

Result<KeyPair> issue(const KeyPair& ca, const Terms& terms) {
    const KeyPtr key(EVP_EC_gen("P-256"));
    ZCDP_TRY(const auto certificate, sign(ca, key.get(), terms));
    return pair_of(certificate.get(), key.get());
}

std::string dns_list(const std::vector<std::string>& dns_names) {
    std::string names;
    for (const std::string& name : dns_names) names += (names.empty() ? "DNS:" : ",DNS:") + name;
    return names;
}

/// Text that cannot be taken for more than one name.
bool is_dns_name(const std::string& name) {
    return !name.empty() && name.size() <= kNameBytesMax &&
           std::all_of(name.begin(), name.end(), [](char c) { return is_letter_or_digit(c) || c == '-' || c == '.'; });
}

/// By the curve's name, never by parameters of the request's own.
bool is_named_p256(const EVP_PKEY* key) {
    char group[32] = "", encoding[32] = "";
    return EVP_PKEY_is_a(key, "EC") == 1 &&
           EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof group, nullptr) == 1 &&
           EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_EC_ENCODING, encoding, sizeof encoding, nullptr) == 1 &&
           std::string_view(group) == SN_X9_62_prime256v1 && std::string_view(encoding) == OSSL_PKEY_EC_ENCODING_GROUP;
}

}  // namespace

Result<KeyPair> issue_certificate(const KeyPair& ca, const std::string& common_name,
                                  const std::vector<std::string>& dns_names, int64_t now_unix_s, int days) {
    return issue(ca, {common_name, "serverAuth", dns_list(dns_names), now_unix_s, days * kDayS});
}

Result<KeyPair> issue_client_certificate(const KeyPair& ca, const std::string& common_name, int64_t now_unix_s,
                                         int days) {
    return issue(ca, {common_name, "clientAuth", {}, now_unix_s, days * kDayS});
}

Result<CertificateRequest> make_certificate_request(const std::string& common_name) {
    const KeyPtr key(EVP_EC_gen("P-256"));
    const RequestPtr request(X509_REQ_new());
    if (!key || !request || X509_REQ_set_version(request.get(), 0) != 1 ||
        !set_common_name(X509_REQ_get_subject_name(request.get()), common_name) ||
        X509_REQ_set_pubkey(request.get(), key.get()) != 1 ||
        X509_REQ_sign(request.get(), key.get(), EVP_sha256()) == 0)
        return failed();
    ZCDP_TRY(auto text, to_pem([&](BIO* out) { return PEM_write_bio_X509_REQ(out, request.get()); }));
    ZCDP_TRY(auto key_text, key_pem(key.get()));
    return CertificateRequest{std::move(text), std::move(key_text)};
}

Result<std::string> sign_certificate_request(const KeyPair& ca, const std::string& request_pem,
                                             const std::string& common_name, const std::vector<std::string>& dns_names,
                                             int64_t now_unix_s, int64_t valid_s) {
    for (const std::string& name : dns_names)
        if (!is_dns_name(name)) return Error(ErrorKind::usage, "is no name for a certificate", name);
    if (!is_dns_name(common_name)) return Error(ErrorKind::usage, "is no name for a certificate", common_name);
    const auto refused = [](const char* why) {
        ERR_clear_error();
        return Error(ErrorKind::refused, why, "a certificate request");
    };
    if (request_pem.size() > kRequestBytesMax) return refused("is longer than 16 KiB");
    const RequestPtr request(PEM_read_bio_X509_REQ(reader_of(request_pem).get(), nullptr, nullptr, nullptr));
    EVP_PKEY* const key = request ? X509_REQ_get0_pubkey(request.get()) : nullptr;
    if (!key) return refused("cannot be read as PKCS#10");
    if (!is_named_p256(key)) return refused("has a key that is not of P-256");
    if (X509_REQ_verify(request.get(), key) != 1) return refused("is not signed by its own key");
    ZCDP_TRY(const auto certificate,
             sign(ca, key, {common_name, "serverAuth,clientAuth", dns_list(dns_names), now_unix_s, valid_s}));
    return certificate_pem(certificate.get());
}

bool is_key_pair(const KeyPair& pair) {
    const X509Ptr certificate = read_certificate(pair.certificate_pem);
    const KeyPtr key = read_key(pair.key_pem);
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

Result<KeyPair> read_key_pair(Fs& fs, const std::string& certificate_file, const std::string& key_file) {
    KeyPair pair;
    if (auto text = read_user_file(fs, certificate_file, kPemBytesMax)) pair.certificate_pem = *text;
    if (auto text = read_user_file(fs, key_file, kPemBytesMax)) pair.key_pem = *text;
    if (!certificate_end(pair.certificate_pem))
        return Error(ErrorKind::usage, "is no certificate in PEM", certificate_file);
    if (!is_key_pair(pair)) return Error(ErrorKind::usage, "is no private key of the certificate", key_file);
    return pair;
}

}  // namespace zcdp::net
