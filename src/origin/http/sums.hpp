// Lists of digests as sha256sum, shasum, openssl and the BSDs write them, and as `sha256sum -c` reads them. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "zcdp/base/error.hpp"

namespace zcdp::origin::http {

struct Sum {
    std::string path;
    std::string sha256;  ///< raw
};

/// A list's files, sorted, each once, and how many of its lines are not of a list (which sha256sum passes over, too).
struct Sums {
    std::vector<Sum> files;
    size_t other_lines = 0;
};

/// "HEX  name", "HEX *name", "\HEX  name" with escapes (coreutils), "SHA256 (name) = HEX", "HEX name" (BSD),
/// "SHA2-256(name)= HEX" (OpenSSL); '#' begins a comment; a clear signature (RFC 9580 7) stands around it. `own_name`:
/// what a digest without a name, or with "-", is of; "": such a line is refused. Errors: refused, with the line's
/// number: a digest of another kind of a file that has no SHA-256, a digest that is none, a file with two.
Result<Sums> parse_sums(std::string_view text, const std::string& own_name = "");

/// SHA256SUMS, sha256sums.txt, checksums.sha256 and the like.
bool is_sums_file(std::string_view name);
/// "model.bin.sha256" may hold a digest and no name: it is that of model.bin. "" when it is no such name.
std::string sidecar_of(std::string_view list_name);

bool is_sha256_hex(std::string_view text);

}  // namespace zcdp::origin::http
