// Files of a web server by HTTP (RFC 9110), redirects within rules: at most five, never from https to http, and the
// source's credentials go to no other host. Thread rule: belongs to its loop.
#pragma once

#include <memory>

#include "src/origin/http/shared.hpp"
#include "src/origin/remote/protocol.hpp"

namespace zcdp::origin::http {

/// A call with `location` set goes there instead of to the key's own place.
std::unique_ptr<Protocol> make_http_protocol(std::shared_ptr<Shared> shared);

/// What a Location header leads to, from the URL it came from. Pure. Errors: failed (malformed, https to http).
Result<std::string> redirected(const net::Endpoint& from, const std::string& target, std::string_view location);

}  // namespace zcdp::origin::http
