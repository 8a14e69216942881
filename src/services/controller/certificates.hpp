// The controller's CA: kept in a Secret that agents cannot read, renewed long before it ends, its certificates in a
// ConfigMap and in the webhook's caBundle. Every replica signs its own serving certificate.
//
// Thread rule: one thread. A rotation keeps the old CA trusted: a bundle always holds both.
#pragma once

#include <string>

#include "zcdp/kube/api.hpp"
#include "zcdp/net/pki.hpp"

namespace zcdp::services {

class Certificates {
  public:
    Certificates(kube::Api& api, std::string ns, const Clock& clock, Logger& log) : api_(api), namespace_(std::move(ns)), clock_(clock), log_(log) {}
    /// Reads the CA; the leader makes or renews it. True when the serving certificate changed. Errors: of the API.
    Result<bool> refresh(bool leads);
    /// Puts the CA's certificates where clients look; the leader's work.
    Result<> publish();
    const net::KeyPair& serving() const { return serving_; }

  private:
    Result<> make_or_renew();
    kube::Api& api_;
    const std::string namespace_;
    const Clock& clock_;
    Logger& log_;
    net::KeyPair ca_, serving_;
    std::string previous_pem_;  ///< of the CA before this one
    std::string version_;       ///< of the Secret; "" when there is none
};

}  // namespace zcdp::services
