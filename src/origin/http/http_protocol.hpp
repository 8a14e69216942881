// Files of a web server by HTTP (RFC 9110), redirects within rules: at most five, never from https to http, and the
// source's credentials go to no other host. Thread rule: belongs to its loop.
#pragma once

#include <memory>

#include "src/origin/http/web_source.hpp"
#include "src/origin/remote/protocol.hpp"

namespace zcdp::origin::http {

/// A call with `location` set goes there instead of to the key's own place.
std::unique_ptr<Protocol> make_http_protocol(std::shared_ptr<WebSource> shared);

/// What an answer says of the file `key` of `size_bytes`; the tag is its digest where that decides. Errors: refused:
/// nothing says when it changes.
Result<ObjectInfo> info_from(const WebSource& shared, const net::Response& answer, const std::string& key,
                             uint64_t size_bytes);
/// A file's name as errors have it; "" for the source itself.
std::string name_in(const WebSource& shared, const std::string& key);

/// What a Location header leads to, from the URL it came from. Pure. Errors: failed (malformed, https to http).
Result<std::string> redirected(const net::Endpoint& from, const std::string& target, std::string_view location);

}  // namespace zcdp::origin::http
