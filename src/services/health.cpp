#include "zcdp/services/health.hpp"

#include <utility>

namespace zcdp::services {
namespace {

using net::server::ControlResponse, net::server::Request;

net::server::ControlRouter routes_of(const Metrics& metrics, std::function<std::string()> waiting_for,
                                     std::function<std::string()> more) {
    net::server::ControlRouter routes;
    routes.add("*", "/metrics", [&metrics, more = std::move(more)](const Request&, const std::string&) {
        return ControlResponse{200, "text/plain; version=0.0.4", metrics.prometheus_text() + (more ? more() : ""), {}};
    });
    routes.add("*", "/healthz",
               [](const Request&, const std::string&) { return ControlResponse{200, "text/plain", "ok\n", {}}; });
    routes.add("*", "/readyz", [waiting_for = std::move(waiting_for)](const Request&, const std::string&) {
        const std::string reason = waiting_for();
        return reason.empty() ? ControlResponse{200, "text/plain", "ok\n", {}}
                              : ControlResponse{503, "text/plain", reason + "\n", {}};
    });
    routes.otherwise([](const Request&, const std::string&) {
        return ControlResponse{404, "text/plain", "there are /metrics, /healthz and /readyz\n", {}};
    });
    return routes;
}

}  // namespace

Result<std::unique_ptr<net::server::ControlServer>> open_health_server(const std::string& listen,
                                                                       const Metrics& metrics, Logger& log,
                                                                       std::function<std::string()> waiting_for,
                                                                       std::function<std::string()> more) {
    net::server::Options options;
    options.listen = listen;
    return net::server::ControlServer::open(options, 1, routes_of(metrics, std::move(waiting_for), std::move(more)),
                                            log);
}

}  // namespace zcdp::services
