// Introduces nodes that get or hold one revision of a dataset: what members say of themselves, and what the API says of
// those that are Ready, which need not say anything.
//
// Only the leader introduces: two replicas would each know half of a swarm. Nothing is kept but in memory.
// Thread rule: any thread. Ownership: the world, the clock and the randomness outlive it.
#pragma once

#include <functional>
#include <string>

#include "src/services/controller/world.hpp"
#include "zcdp/base/guarded.hpp"
#include "zcdp/net/control.hpp"
#include "zcdp/swarm/introducer.hpp"

namespace zcdp::services::controller {

class Meetings {
  public:
    Meetings(const World& world, std::function<bool()> leads, const Clock& clock, Random& random);

    /// POST /v1/peers?dataset=NAMESPACE/NAME&revision=R with a member's news, of the node `request.user`. 200: an
    /// introduction; 400: no news; 403: another node's; 404: no such Dataset, or it has no such revision; 503: another
    /// controller leads.
    net::server::ControlResponse answer(const net::server::Request& request, const std::string& body);

  private:
    /// Members of the swarm that the API knows: those that `asker` has for neighbours, and some more.
    std::vector<swarm::MemberNews> holders_for(const swarm::MemberNews& asker, const api::Dataset& dataset,
                                               const Revision& revision);
    std::string zone_of(const std::string& node) const;

    const World& world_;
    const std::function<bool()> leads_;
    Mutex mutex_;
    Random& random_;
    swarm::Introducer introducer_ ZCDP_GUARDED_BY(mutex_);
    const Clock& clock_;
    int64_t forgot_ns_ ZCDP_GUARDED_BY(mutex_) = 0;  ///< when swarms that have ended were looked for
};

}  // namespace zcdp::services::controller
