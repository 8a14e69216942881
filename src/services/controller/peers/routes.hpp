// POST /v1/peers and POST /v1/certificates (docs/formats.md, "Between agents and controllers"). Who asks is a node, by
// its agent's token. Ownership: all parts outlive the server.
#pragma once

#include "src/services/controller/peers/meetings.hpp"
#include "src/services/controller/pki/certificates.hpp"
#include "zcdp/kube/authn.hpp"
#include "zcdp/net/control.hpp"

namespace zcdp::services::controller {

struct PeerParts {
    const World& world;
    kube::TokenReviewer& tokens;  ///< of kListingAudience
    Meetings& meetings;
    const Certificates& certificates;
};
void add_peer_routes(net::server::ControlRouter& routes, PeerParts parts);

}  // namespace zcdp::services::controller
