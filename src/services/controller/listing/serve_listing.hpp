// GET /v1/listings/REVISION?dataset=NAMESPACE/NAME: a listing as a stream, for agents only. Who asks is checked by
// TokenReview, for the audience zcdp-controller.
#pragma once

#include "src/services/controller/listing/listings.hpp"
#include "src/services/controller/world.hpp"
#include "zcdp/net/http_server.hpp"

namespace zcdp::services::controller {

net::ServerResponse serve_listing(const net::ServerRequest& request, kube::Api& api, World& world, Lister& lister,
                                  Fs& fs);

}  // namespace zcdp::services::controller
