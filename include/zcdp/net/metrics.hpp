// What the HTTP client counts. Thread rule: constants.
#pragma once

#include "zcdp/base/metrics.hpp"

namespace zcdp::net::metric {

inline constexpr MetricName connections{"zcdp_http_connections_total",
                                        "Connections opened to origins and, in a cluster, to its API server and the "
                                        "controller. Few for many requests: connections are kept."};

}  // namespace zcdp::net::metric
