// GET /v1/listings/REVISION?dataset=NAMESPACE/NAME: a listing as a stream, for agents only. Who asks is checked by
// TokenReview, for the audience zcdp-controller.
#pragma once

#include "src/services/controller/listing/listings.hpp"
#include "src/services/controller/world.hpp"
#include "zcdp/net/control.hpp"

namespace zcdp::services::controller {

/// Nothing when the request's token is an agent's, and made for us.
std::optional<net::server::ControlResponse> refuse_all_but_agents(const net::server::Request& request, kube::Api& api);

/// The route's parameter `revision` and the query's `dataset` say which.
net::server::ControlResponse serve_listing(const net::server::Request& request, World& world, Lister& lister, Fs& fs);

}  // namespace zcdp::services::controller
