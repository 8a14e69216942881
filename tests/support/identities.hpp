// A CA in this process, and members that it certifies.
#pragma once

#include <memory>
#include <string>

#include "zcdp/base/clock.hpp"
#include "zcdp/net/pki.hpp"
#include "zcdp/swarm/identity.hpp"

namespace zcdp::test {

class MembersCa {
  public:
    std::shared_ptr<const swarm::Identity> certify(const std::string& member) const {
        const auto own = net::issue_client_certificate(ca_, member, system_clock().unix_s(), 1).value();
        return swarm::Identity::make(own, ca_.certificate_pem).value();
    }

  private:
    const net::KeyPair ca_ = net::make_ca("members", system_clock().unix_s(), 1).value();
};

}  // namespace zcdp::test
