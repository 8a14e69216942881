#include "src/services/peers/node_identity.hpp"

#include <utility>

#include "src/services/peers/controller_client.hpp"
#include "src/services/peers/wire.hpp"

namespace zcdp::services::peers {
namespace {

constexpr uint64_t kAnswerMs = 30'000;

Task<Result<>> ask_for_certificate(net::HttpClient& http, ControllerAccess access, std::string request_pem,
                                   std::string* out) {
    ZCDP_CO_TRY(*out, co_await ask_controller(http, std::move(access), std::string(kCertificatesPath),
                                              std::move(request_pem), Deadline::in_ms(kAnswerMs)));
    co_return Result<>();
}

}  // namespace

NodeIdentity::NodeIdentity(ControllerAccess access, std::string node, Machine machine)
    : access_(std::move(access)), node_(std::move(node)), machine_(machine) {}

std::shared_ptr<const NodeIdentity::Held> NodeIdentity::current() const {
    const MutexLock lock(mutex_);
    return held_;
}

Result<NodeIdentity::Held> NodeIdentity::ask(const std::string& ca_pem) const {
    ZCDP_TRY(auto request, net::make_certificate_request(node_));
    std::string said;
    const auto question = [&](net::HttpClient& http) {
        return ask_for_certificate(http, access_, request.request_pem, &said);
    };
    ZCDP_CHECK(with_client(controller_client_options(ca_pem), machine_, question));
    ZCDP_TRY(auto certified, read_certified(said));
    Held held{{std::move(certified.certificate_pem), std::move(request.key_pem)}, std::move(certified.ca_pem), 0};
    if (!net::is_key_pair(held.own))
        return Error(ErrorKind::refused, "the controller's certificate is not of this node's key");
    // A replica may not have heard of the newest CA yet, nor the agent of one that a replica knows.
    if (held.ca_pem.find(ca_pem) == std::string::npos) held.ca_pem = ca_pem + "\n" + held.ca_pem;
    ZCDP_TRY(held.ends_unix_s, net::certificate_end(held.own.certificate_pem));
    return held;
}

Result<> NodeIdentity::refresh() {
    std::string ca_pem = access_.ca_pem();
    const int64_t now = machine_.clock.unix_s();
    {
        const MutexLock lock(mutex_);
        if (held_ && (ca_pem.empty() || ca_pem == asked_ca_pem_) && now < renew_unix_s_) return {};
    }
    if (ca_pem.empty()) return Error(ErrorKind::busy, "the controllers' CA is not known yet", access_.url);
    ZCDP_TRY(auto fresh, ask(ca_pem));
    const MutexLock lock(mutex_);
    renew_unix_s_ = now + (fresh.ends_unix_s - now) * 2 / 3;
    held_ = std::make_shared<const Held>(std::move(fresh));
    asked_ca_pem_ = std::move(ca_pem);
    return {};
}

}  // namespace zcdp::services::peers
