// A directory, or one file, as an Origin: a NAS mount, a build's output, file:///DIR.
#pragma once

#include "zcdp/origin/options.hpp"

namespace zcdp::origin::local {

/// The path that a file: URL means (RFC 8089): percent-decoded, of this machine. A '%' that begins no escape is one.
/// Pure. Errors: usage (another host, no absolute path, a NUL).
Result<std::string> path_of_url(const std::string& url);

/// `path` is a directory or a file. Errors: not_found, denied, refused (neither of the two).
Result<OriginFactory> make_local_factory(const std::string& path, const OriginOptions& options, Machine machine);

}  // namespace zcdp::origin::local
