// The controller's upkeep of itself: its certificates, and what it set up in the cluster. Whenever one of these
// changes, when this replica begins to lead, and every 20 s without any reason.
//
// Thread rule: `run` is a thread's whole work, apart from the lease's, which must be renewed in time however slow the
// API is.
#pragma once

#include <functional>
#include <stop_token>

#include "src/services/controller/pki/certificates.hpp"
#include "src/services/controller/upkeep/roles.hpp"
#include "src/services/controller/upkeep/upkeep.hpp"

namespace zcdp::services::controller {

class Keeper {
  public:
    struct Parts {
        kube::Api& api;
        Certificates& certificates;
        AgentRole& role;
        const Clock& clock;
        Metrics& metrics;
        Logger& log;
        std::function<bool()> leads;
        std::function<Result<>(const net::KeyPair&)> serve;  ///< with this certificate from now on
    };
    explicit Keeper(Parts parts) : parts_(std::move(parts)), upkeep_(parts_.api, parts_.metrics, parts_.log) {}
    /// Until it is stopped.
    void run(Tripwires& wires, std::stop_token stop);
    /// One look: reads the CA, serves with it, and puts back what is not as it has to be, which is the leader's work.
    /// Errors: the first.
    Result<> look();

  private:
    Parts parts_;
    Upkeep upkeep_;
    bool serves_ = false;  ///< with the present certificate
};

}  // namespace zcdp::services::controller
