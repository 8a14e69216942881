// Files of a web server as an Origin: one file, a folder with an index, a list of digests, a repository in Hugging
// Face's layout. Names come from pages; sizes and tags from a HEAD of each file, 32 at once (a repository's tree says
// them itself).
#pragma once

#include "zcdp/origin/options.hpp"

namespace zcdp::origin::http {

/// http[s]://HOST/PATH. Errors: usage.
Result<OriginFactory> make_url_factory(const std::string& source, const OriginOptions& options, Machine machine);
/// hf://…, as parse_repository() takes it. Errors: usage.
Result<OriginFactory> make_repository_factory(const std::string& source, const OriginOptions& options, Machine machine);

}  // namespace zcdp::origin::http
