// What origins count: in an agent with the labels namespace, dataset and backend. Thread rule: constants.
#pragma once

#include "zcdp/base/metrics.hpp"

namespace zcdp::origin::metric {

inline constexpr MetricName requests{"zcdp_origin_requests_total",
                                     "Requests sent to origins, those that were sent again included."};
inline constexpr MetricName retries{
    "zcdp_origin_retries_total",
    "Requests sent to origins again after an error: a throttled or unwell origin has many."};
inline constexpr MetricName hedges{
    "zcdp_origin_hedges_total",
    "Requests to origins that were given up as silent and sent again on another connection."};
inline constexpr MetricName bytes{"zcdp_origin_bytes_total",
                                  "Body bytes received from origins, those of given-up requests included."};

}  // namespace zcdp::origin::metric
