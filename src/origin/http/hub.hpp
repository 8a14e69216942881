// What a hub in Hugging Face's layout says, and how its addresses are told from others (huggingface.co/docs/hub/api).
// Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "zcdp/base/error.hpp"
#include "zcdp/net/endpoint.hpp"
#include "zcdp/origin/origin.hpp"

namespace zcdp::origin::http {

/// One page of GET /api/models/ID/tree/REV?recursive=true. Folders are left out, and counted.
/// For what lies in LFS or Xet, `sha256` is that of the content, else "".
struct TreeFile {
    Entry entry;
    std::string sha256;  ///< raw
};
struct TreePage {
    std::vector<TreeFile> files;
    size_t folders = 0;
};
/// Errors: refused.
Result<TreePage> parse_tree(std::string_view body);

/// The URL of Link: <URL>; rel="next" (RFC 8288); "" when there is none.
std::string next_link(std::string_view link_header);

/// Where an address that a hub's answer holds is asked for at `base`. A mirror passes on what the hub itself says, so
/// that the host is huggingface.co, or the path begins at the host's root and not below the mirror's own. What is of no
/// hub stays as it is. `location`: a URL, or a path.
std::string at_base(const net::BaseUrl& base, const std::string& location);

/// hf://ORG/NAME@REVISION/FOLDER/ for the address of a repository's page at one of `hubs`, as a browser shows it: with
/// or without /tree/REVISION/FOLDER or /blob/REVISION/FILE. "" for all else, above all for /resolve/, which is a file.
std::string repository_of_page(const net::Endpoint& endpoint, const std::string& target,
                               const std::vector<net::BaseUrl>& hubs);

/// What X-Error-Message and the body of a refusal say, one line of at most 300 characters; "" when they say nothing.
std::string words_of_refusal(std::string_view error_message, std::string_view body);

}  // namespace zcdp::origin::http
