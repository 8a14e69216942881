// A directory as an Origin: a NAS mount, a build's output, file:///DIR.
#pragma once

#include "zcdp/origin/options.hpp"

namespace zcdp::origin::local {

/// Errors: not_found, denied.
Result<OriginFactory> make_local_factory(const std::string& directory, const OriginOptions& options, Machine machine);

}  // namespace zcdp::origin::local
