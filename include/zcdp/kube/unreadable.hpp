// What is said of objects that a cache cannot read: one warning and one count for each error of each object.
//
// Thread rule: what it returns may be called by any thread, and refers to `log` and `metrics`.
#pragma once

#include <functional>
#include <string>

#include "zcdp/base/log.hpp"
#include "zcdp/base/metrics.hpp"

namespace zcdp::kube {

/// For Cache::on_unreadable; `plural` names the kind: "datasets". Counts zcdp_unreadable_objects_total.
std::function<void(const std::string& key, const std::string& error)> tell_unreadable(const char* plural, Logger& log,
                                                                                      Metrics& metrics);

}  // namespace zcdp::kube
