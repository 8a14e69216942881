// What web servers say of the files they have: the indexes of nginx, Apache, Caddy, lighttpd and Python as HTML, nginx's
// and Caddy's as JSON; lists of digests as sha256sum writes and reads them; Hugging Face's trees. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "zcdp/base/error.hpp"
#include "zcdp/origin/origin.hpp"

namespace zcdp::origin::http {

inline constexpr size_t kNamesMax = 1'000'000;  ///< of one page

/// The names of a folder's index, sorted, each once; a folder's ends in '/'. Links that lead elsewhere (up, to another
/// host, to a query) are no names. `folder_path`: the page's own path, still encoded. Errors: refused.
Result<std::vector<std::string>> parse_index(std::string_view body, std::string_view content_type, const std::string& folder_path);

/// "HEX  name", "HEX *name", "\HEX  name" with escapes (coreutils), "SHA256 (name) = HEX", "HEX name" (BSD),
/// "SHA2-256(name)= HEX" (OpenSSL); lines that begin with '#' are comments. In the file's order. `own_name`: what a
/// digest without a name, or with "-", is of; "": such a line is refused. Errors: refused, with the line's number.
struct Sum {
    std::string path;
    std::string sha256;  ///< raw
};
Result<std::vector<Sum>> parse_sums(std::string_view text, const std::string& own_name = "");
/// SHA256SUMS, sha256sums.txt, checksums.sha256 and the like.
bool is_sums_file(std::string_view name);

/// One page of GET /api/models/ID/tree/REV?recursive=true (huggingface.co/docs/hub/api). Folders are left out.
/// For what lies in LFS or Xet, `sha256` is that of the content, else "". Errors: refused.
struct TreeFile {
    Entry entry;
    std::string sha256;  ///< raw
};
Result<std::vector<TreeFile>> parse_tree(std::string_view body);

/// The URL of Link: <URL>; rel="next" (RFC 8288); "" when there is none.
std::string next_link(std::string_view link_header);

}  // namespace zcdp::origin::http
