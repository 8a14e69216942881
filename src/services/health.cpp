#include "zcdp/services/health.hpp"

#include <utility>

namespace zcdp::services {
namespace {

net::ServerResponse health(const net::ServerRequest& request, const Metrics& metrics, const std::string& waiting_for,
                           const std::function<std::string()>& more) {
    if (request.target == "/metrics")
        return {200, "text/plain; version=0.0.4", metrics.prometheus_text() + (more ? more() : ""), {}};
    if (request.target == "/healthz") return {200, "text/plain", "ok\n", {}};
    if (request.target == "/readyz")
        return {waiting_for.empty() ? 200 : 503, "text/plain", waiting_for.empty() ? "ok\n" : waiting_for + "\n", {}};
    return {404, "text/plain", "there are /metrics, /healthz and /readyz\n", {}};
}

}  // namespace

Result<std::unique_ptr<net::HttpServer>> open_health_server(const std::string& listen, const Metrics& metrics,
                                                            Logger& log, std::function<std::string()> waiting_for,
                                                            std::function<std::string()> more) {
    net::HttpServerOptions options;
    options.listen = listen;
    options.handlers = 1;
    return net::HttpServer::open(
        options,
        [&metrics, waiting_for = std::move(waiting_for), more = std::move(more)](const net::ServerRequest& request) {
            return health(request, metrics, waiting_for(), more);
        },
        log);
}

}  // namespace zcdp::services
