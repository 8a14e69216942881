// What people give to be known by: typed, pasted, written by `echo` into a file or a Secret. White space around it is
// never part of it; a control character inside never belongs there, and would break the header that carries it. Thread
// rule: any thread.
#pragma once

#include <string>
#include <string_view>

#include "zcdp/base/error.hpp"
#include "zcdp/origin/options.hpp"

namespace zcdp::origin {

/// Bytes of the white space that `text` begins with, 0 for none: ASCII's and Unicode's, which is what copying from a
/// page leaves.
size_t space_before(std::string_view text);
/// Without the white space on both sides, and without a byte order mark before it. Pure.
std::string_view without_space_around(std::string_view text);

/// clean_secret() for one that stands in a header as it is: visible ASCII alone. "" stays "". Pure. Errors: usage.
Result<std::string> clean_header_secret(std::string_view given, const std::string& name);

/// The secret in the file that `name` (a variable, a setting) names; read anew each time, links and all, for Kubernetes
/// rotates its tokens by switching a link. Errors: usage (as above), denied (an empty file), what the system says.
Result<std::string> read_secret_file(Fs& fs, const std::string& path, const std::string& name);

}  // namespace zcdp::origin
