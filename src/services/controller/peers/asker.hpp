// Which node an agent's token speaks for. Thread rule: functions, any thread.
#pragma once

#include <optional>
#include <string>

#include "src/services/controller/world.hpp"
#include "zcdp/kube/authn.hpp"
#include "zcdp/net/control.hpp"

namespace zcdp::services::controller {

/// The node that Kubernetes bound the token to, or else that of the pod it bound it to; "" when it is bound to neither,
/// or the pod is not in the cache.
std::string node_of(const kube::User& user, const World& world);

/// As refuse_all_but_agents(); 403 also for a token of no node. Who comes through is known by `request.user`, the
/// node's name.
std::optional<net::server::ControlResponse> refuse_all_but_nodes(net::server::Request& request,
                                                                 kube::TokenReviewer& tokens, const World& world);

}  // namespace zcdp::services::controller
