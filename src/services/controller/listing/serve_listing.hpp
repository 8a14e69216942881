// GET /v1/listings/REVISION?dataset=NAMESPACE/NAME: a listing as a stream, for agents only. Who asks is checked by
// TokenReview, for the audience zcdp-controller.
#pragma once

#include "src/services/controller/listing/listings.hpp"
#include "src/services/controller/world.hpp"
#include "zcdp/kube/authn.hpp"
#include "zcdp/net/control.hpp"

namespace zcdp::services::controller {

/// The audience that agents' tokens are made for.
inline constexpr const char* kListingAudience = "zcdp-controller";

/// Nothing when the request's token is an agent's, else 403; 503 when that could not be asked. `tokens`: of
/// kListingAudience.
std::optional<net::server::ControlResponse> refuse_all_but_agents(const net::server::Request& request,
                                                                  kube::TokenReviewer& tokens);

/// The route's parameter `revision` and the query's `dataset` say which.
net::server::ControlResponse serve_listing(const net::server::Request& request, World& world, Lister& lister, Fs& fs);

}  // namespace zcdp::services::controller
