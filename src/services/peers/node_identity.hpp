// A node's key, which is made here and never leaves the process, and the certificate that the controllers' CA gave it:
// who a member of a swarm is, to others.
// Thread rule: any thread. Ownership: what is held lives as long as somebody has it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "src/services/peers/controller_access.hpp"
#include "zcdp/base/guarded.hpp"
#include "zcdp/base/machine.hpp"
#include "zcdp/net/pki.hpp"

namespace zcdp::services::peers {

class NodeIdentity {
  public:
    NodeIdentity(ControllerAccess access, std::string node, Machine machine);
    struct Held {
        net::KeyPair own;
        std::string ca_pem;  ///< whom to trust: the CA, and the one before it
        int64_t ends_unix_s;
    };
    /// Asks for a certificate, for a new key, when there is none, the CA changed, or two thirds of its time are over.
    /// Blocks, 30 s at most. Errors: as a controller's answer; what is held then stays.
    Result<> refresh();
    /// Null: there is none yet.
    std::shared_ptr<const Held> current() const;

  private:
    Result<Held> ask(const std::string& ca_pem) const;
    const ControllerAccess access_;
    const std::string node_;
    const Machine machine_;
    mutable Mutex mutex_;
    std::shared_ptr<const Held> held_ ZCDP_GUARDED_BY(mutex_);
    std::string asked_ca_pem_ ZCDP_GUARDED_BY(mutex_);  ///< as it was when held_ was asked for
    int64_t renew_unix_s_ ZCDP_GUARDED_BY(mutex_) = 0;
};

}  // namespace zcdp::services::peers
