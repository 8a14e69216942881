// Headers that every protocol over HTTP shares. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "zcdp/base/ids.hpp"
#include "zcdp/base/percent.hpp"
#include "zcdp/net/http.hpp"

namespace zcdp::origin {

/// All of `text` as a whole number.
bool to_number(std::string_view text, uint64_t& value);

/// "bytes 0-9/100": first, last and total, which a server may leave open ("bytes 0-9/*", RFC 9110 14.4).
struct ContentRange {
    uint64_t first = 0, last = 0, total = 0;
    bool total_known = true;
};
std::optional<ContentRange> parse_content_range(std::string_view value);

/// How long the whole object is, of an answer with it or with a range of it; nothing where that is not said.
std::optional<uint64_t> object_bytes_of(const net::Response& answer);

/// An ETag without its quotes and weakness mark.
std::string plain_tag(std::string_view etag);

/// For how long an answer asks to be left alone, five minutes at most; 0 when it does not say: Retry-After in seconds
/// or as a date (by the answer's own Date, else `now_unix_s`), Azure's x-ms-retry-after-ms, and the RateLimit of who
/// has nothing left (draft-ietf-httpapi-ratelimit-headers: what Hugging Face's hub sends with a 429).
uint64_t retry_after_ms_of(const net::Response& answer, int64_t now_unix_s);

/// What a read sends so that only the object with this tag is served: If-Unmodified-Since for a time, If-Match for an
/// ETag; nothing for "".
std::optional<net::Header> condition_of(const Tag& tag);

/// What If-Unmodified-Since has to say for an object that was listed under a time for its tag; "" for every other tag.
/// A part of a second is rounded up: services compare with what they have, and the answer's own time is compared
/// besides.
std::string unmodified_since_of(const Tag& tag);

/// What a refusal says, fit to be shown: "HTTP 403 CODE: MESSAGE", or "in an answer of HTTP 200, CODE: MESSAGE".
std::string words_of_refusal(bool came_as_success, int status, std::string_view code, std::string_view message);

/// For a status that a protocol has no words of its own for; `what` is what the answer says. Errors: source_changed
/// (412, 416), denied (407, the proxy's), throttled (429, 503), unreachable (any other 5xx), failed.
Error error_of_status(int status, const std::string& what, const std::string& object);

/// nginx lets anybody through the handshake and refuses, or misses, the client's certificate with a 400 that says so in
/// its page (ngx_http_special_response.c: 495, 496). Nothing when that is not what `body` says.
std::optional<Error> client_certificate_refused(int status, std::string_view body, const std::string& object);

/// http[s]://HOST[:PORT]/PATH?QUERY as endpoint and a target that can be sent as it is. Errors: usage (also a control
/// byte).
Result<std::pair<net::Endpoint, std::string>> split_url(const std::string& url);

}  // namespace zcdp::origin
