// The metrics port of a long-running mode.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "zcdp/base/log.hpp"
#include "zcdp/base/metrics.hpp"
#include "zcdp/net/control.hpp"

namespace zcdp::services {

/// Answers /metrics, /healthz and /readyz at `listen` for as long as it is held. `waiting_for` says why the mode is not
/// ready, or ""; `more` is text that is put behind the metrics, in Prometheus' format, where it is set. Both are asked
/// on the server's thread, and outlive the server, as `metrics` and `log` do. Errors: usage, what the system says.
Result<std::unique_ptr<net::server::ControlServer>> open_health_server(const std::string& listen,
                                                                       const Metrics& metrics, Logger& log,
                                                                       std::function<std::string()> waiting_for,
                                                                       std::function<std::string()> more = {});

}  // namespace zcdp::services
