// Texts signed with the key of a certificate (ECDSA with SHA-256, RFC 5480 and 5758; signatures in DER), and the
// question whose signature it is: that of somebody whom a CA has certified. Thread rule: values, and any thread. Keys
// never leave their object.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "zcdp/base/error.hpp"
#include "zcdp/net/pki.hpp"

namespace zcdp::net {

/// Who signs: a key and its certificate.
class Signer {
  public:
    /// Errors: usage: no key pair.
    static Result<Signer> make(const KeyPair& pair);
    /// The certificate's common name.
    const std::string& name() const { return name_; }
    const std::string& certificate_der() const { return certificate_der_; }
    /// Errors: failed: OpenSSL's.
    Result<std::string> sign(std::string_view text) const;

  private:
    struct Key;
    std::shared_ptr<const Key> key_;
    std::string name_, certificate_der_;
};

/// Whose signature it is: a certificate that a CA has signed.
class Signatory {
  public:
    /// The certificate's common name.
    const std::string& name() const { return name_; }
    bool has_signed(std::string_view text, std::string_view signature) const;

  private:
    friend class TrustedCa;
    struct Key;
    std::shared_ptr<const Key> key_;
    std::string name_;
};

/// The CAs whose certificates count.
class TrustedCa {
  public:
    /// PEM, one or several. Errors: usage: there is none.
    static Result<TrustedCa> make(const std::string& ca_pem);
    /// Whether its time is over is not asked: what was signed in its time stays signed. Errors: denied: no certificate,
    /// or not of these CAs.
    Result<Signatory> signatory(std::string_view certificate_der) const;

  private:
    struct Roots;
    std::shared_ptr<const Roots> roots_;
};

}  // namespace zcdp::net
