#include "src/services/controller/peers/routes.hpp"

#include "src/services/controller/peers/asker.hpp"
#include "src/services/peers/wire.hpp"

namespace zcdp::services::controller {
namespace {

using net::server::ControlResponse;
using net::server::Request;

/// Whatever name the certificate request has: it is signed for the node whose token came with it.
ControlResponse certify(const Request& request, const std::string& body, const Certificates& certificates) {
    const auto certified = certificates.sign_for_node(body, request.user);
    if (certified) return {200, "application/json", peers::to_text(*certified)};
    const ErrorKind kind = certified.error().kind();
    const int status = kind == ErrorKind::busy ? 503 : kind == ErrorKind::refused ? 400 : 500;
    return {status, "text/plain", certified.error().line() + "\n"};
}

}  // namespace

void add_peer_routes(net::server::ControlRouter& routes, PeerParts parts) {
    const auto authenticate = [parts](Request& request) {
        return refuse_all_but_nodes(request, parts.tokens, parts.world);
    };
    routes.add(
        "POST", std::string(peers::kPeersPath),
        [parts](const Request& request, const std::string& body) { return parts.meetings.answer(request, body); },
        authenticate);
    routes.add(
        "POST", std::string(peers::kCertificatesPath),
        [parts](const Request& request, const std::string& body) { return certify(request, body, parts.certificates); },
        authenticate);
}

}  // namespace zcdp::services::controller
