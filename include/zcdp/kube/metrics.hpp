// What a client of the Kubernetes API counts. Thread rule: constants.
#pragma once

#include "zcdp/base/metrics.hpp"

namespace zcdp::kube::metric {

inline constexpr MetricName requests{"zcdp_kube_requests_total",
                                     "Requests sent to the Kubernetes API; a watch is one, however long."};
inline constexpr MetricName unreadable{"zcdp_unreadable_objects_total",
                                       "States of Kubernetes objects that could not be read: the log names each."};

}  // namespace zcdp::kube::metric
