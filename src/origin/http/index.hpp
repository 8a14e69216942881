// What a web server's page says of the folder that it is the index of: HTML of nginx, Apache, Caddy, lighttpd, IIS,
// Python, Go, Express and their like, JSON of nginx and Caddy. Pure.
//
// No link is passed over in silence: it is a name of the folder, or leads elsewhere for a reason that is known (up, to
// another host, to another order of the same page), or is an error that names it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "zcdp/base/error.hpp"
#include "zcdp/net/endpoint.hpp"

namespace zcdp::origin::http {

/// A URL's host and path; two are one place when their paths are, decoded, whatever they were spelt like.
struct Place {
    net::Endpoint endpoint;
    std::string path;  ///< still encoded, without a query

    /// Errors: usage.
    static Result<Place> parse(const std::string& url);
    /// Decoded, without "." and "..", without empty ones; a '%' that is no escape is a '%'.
    std::vector<std::string> segments() const;
};

/// Whether `url` is `of` with a '/' at its end, wherever that is served: as servers say that a name is a folder's.
/// False if either is no URL.
bool is_folder_of(const std::string& url, const std::string& of);

struct Index {
    /// Sorted, each once; a folder's ends in '/'. What a page links to further down has the folders between in its
    /// name.
    std::vector<std::string> names;
    size_t elsewhere = 0;       ///< links that lead out of the folder, or to the page itself
    bool says_so = false;       ///< the page calls itself an index, or leads up as one does
    bool names_itself = false;  ///< its heading has the folder's own name
    bool asks_for_password = false;
    bool has_slashes = false;   ///< folders' names, or the way up, have their '/'
    bool bare_folders = false;  ///< of a server that writes folders' names without
};

/// `folder`: where the page came from, after redirects; the page may be that of the path without its last '/'.
/// `cut`: the page's end is missing. Errors: refused, with the link.
Result<Index> parse_index(std::string_view body, std::string_view content_type, const Place& folder, bool cut = false);

/// HTML, whatever its charset.
bool is_html(std::string_view content_type);
/// What an index may be.
bool is_html_or_json(std::string_view content_type);
/// By its name a page, not a folder.
bool is_named_as_page(std::string_view name);

}  // namespace zcdp::origin::http
