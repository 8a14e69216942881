#include "src/services/controller/peers/routes.hpp"

#include <atomic>
#include <memory>
#include <optional>

#include "src/services/controller/peers/asker.hpp"
#include "src/services/peers/wire.hpp"

namespace zcdp::services::controller {
namespace {

using net::server::ControlResponse;
using net::server::Request;

/// Who a token's holder is may have to be asked of the API server, on a thread that the webhook shares: so many at
/// once.
constexpr int kAskingMost = 8;

struct Asking {
    explicit Asking(std::atomic<int>& of) : all(of), before(of++) {}
    Asking(const Asking&) = delete;
    Asking& operator=(const Asking&) = delete;
    ~Asking() { --all; }
    std::atomic<int>& all;
    const int before;
};

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
    const auto asked_now = std::make_shared<std::atomic<int>>(0);
    const auto authenticate = [parts, asked_now](Request& request) -> std::optional<ControlResponse> {
        const Asking asking(*asked_now);
        if (asking.before >= kAskingMost) return ControlResponse{429, "text/plain", "too many ask at once\n"};
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
