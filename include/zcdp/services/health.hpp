// What every long-running mode answers on its metrics port. Pure.
#pragma once

#include "zcdp/base/metrics.hpp"
#include "zcdp/net/http_server.hpp"

namespace zcdp::services {

/// /metrics, /healthz and /readyz; `waiting_for` says why it is not ready, or is empty.
inline net::ServerResponse health(const net::ServerRequest& request, const Metrics& metrics,
                                  const std::string& waiting_for) {
    if (request.target == "/metrics") return {200, "text/plain; version=0.0.4", metrics.prometheus_text(), {}};
    if (request.target == "/healthz") return {200, "text/plain", "ok\n", {}};
    if (request.target == "/readyz")
        return {waiting_for.empty() ? 200 : 503, "text/plain", waiting_for.empty() ? "ok\n" : waiting_for + "\n", {}};
    return {404, "text/plain", "there are /metrics, /healthz and /readyz\n", {}};
}

}  // namespace zcdp::services
