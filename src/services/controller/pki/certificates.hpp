// The controller's CA: kept in a Secret that agents cannot read, renewed long before it ends, its certificates in a
// ConfigMap and in the webhook's caBundle. Every replica signs its own serving certificate, all with the same CA.
//
// The Secret may be deleted or emptied under running controllers: who has the CA in memory serves on with it, and the
// leader writes it again. A leader that has none makes another, and what was trusted until then (the ConfigMap) stays
// trusted.
//
// Thread rule: one thread, but for sign_for_node(). A rotation keeps the old CA trusted: a bundle always holds both.
#pragma once

#include <string>

#include "src/services/peers/wire.hpp"
#include "zcdp/base/guarded.hpp"
#include "zcdp/kube/api.hpp"
#include "zcdp/net/pki.hpp"

namespace zcdp::services::controller {

class Certificates {
  public:
    Certificates(kube::Api& api, std::string ns, const Clock& clock, Logger& log)
        : api_(api), namespace_(std::move(ns)), clock_(clock), log_(log) {}
    /// Reads the CA; the leader makes, renews or restores it. True when the serving certificate changed. Errors: of the
    /// API.
    Result<bool> refresh(bool leads);
    /// Puts the CA's certificates where clients look, unless they are there; the leader's work.
    Result<> publish();
    const net::KeyPair& serving() const { return serving_; }
    /// A node's certificate for the key of this request (PKCS#10), valid 24 h. Any thread. Errors: busy: no CA yet;
    /// as net::sign_certificate_request().
    Result<peers::Certified> sign_for_node(const std::string& request_pem, const std::string& node) const;

  private:
    /// What signs for nodes.
    struct Signer {
        net::KeyPair ca;
        std::string bundle_pem;
    };
    std::string bundle() const { return ca_.certificate_pem + previous_pem_; }
    bool is_usable(const net::KeyPair& ca, int64_t for_s) const;
    Result<> write(const net::KeyPair& ca, const std::string& previous_pem, const char* what);
    Result<> make_or_restore();
    Result<> publish_map(const std::string& bundle);
    Result<> publish_hook(const std::string& bundle);
    std::string published() const;
    kube::Api& api_;
    const std::string namespace_;
    const Clock& clock_;
    Logger& log_;
    net::KeyPair ca_, serving_;
    std::string previous_pem_;    ///< of the CA before this one
    std::string serving_ca_pem_;  ///< whose serving_ is
    std::string version_;         ///< of the Secret; "" when there is none
    std::string type_;            ///< of the Secret; it cannot be changed
    mutable Mutex mutex_;
    Signer signer_ ZCDP_GUARDED_BY(mutex_);
};

}  // namespace zcdp::services::controller
