#include "src/services/controller/peers/asker.hpp"

#include "src/services/controller/listing/serve_listing.hpp"

namespace zcdp::services::controller {
namespace {

/// What Kubernetes says of a token, when it is one thing.
std::string only(const kube::User& user, const char* what) {
    const auto at = user.extra.find(std::string("authentication.kubernetes.io/") + what);
    return at != user.extra.end() && at->second.size() == 1 ? at->second.front() : "";
}

}  // namespace

std::string node_of(const kube::User& user, const World& world) {
    if (std::string node = only(user, "node-name"); !node.empty()) return node;
    const auto pod = world.pods.get(std::string(api::kSystemNamespace) + "/" + only(user, "pod-name"));
    // Another pod may have had that name.
    return pod && pod->metadata.uid == only(user, "pod-uid") ? pod->spec.node_name : "";
}

std::optional<net::server::ControlResponse> refuse_all_but_nodes(net::server::Request& request,
                                                                 kube::TokenReviewer& tokens, const World& world) {
    if (auto refused = refuse_all_but_agents(request, tokens)) return refused;
    const auto user = tokens.user_of_header(request.header("authorization"));
    if (user && *user) request.user = node_of(**user, world);
    if (!request.user.empty()) return std::nullopt;
    return net::server::ControlResponse{403, "text/plain", "the token is bound to no node that is known here\n"};
}

}  // namespace zcdp::services::controller
