// `zcdp sync dataset/NAME --nodes SELECTOR`: puts a dataset onto nodes before any pod wants it, and shows how far it
// is. Thread rule: one thread; blocks.
#pragma once

#include <functional>
#include <stop_token>
#include <string>

#include "zcdp/base/error.hpp"
#include "zcdp/kube/api.hpp"

namespace zcdp::services {

struct PrefetchOptions {
    std::string ns, dataset;
    std::string node_selector;  ///< "LABEL=VALUE,…"; "" is every node
};

/// Asks the controller by an annotation of the Dataset, waits until every such node has it, and takes the annotation
/// away: the data stays as long as there is room. Errors: not_found; the first error that stands on a node for a
/// minute; interrupted.
Result<> prefetch(kube::Api& api, const PrefetchOptions& options, const std::function<void(const std::string&)>& say,
                  std::stop_token stop);

}  // namespace zcdp::services
