// Bearer tokens as OAuth 2 services and the clouds' metadata servers hand them out (RFC 6749), and the small JSON they
// speak.
#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <string_view>

#include "zcdp/base/json_parse.hpp"
#include "zcdp/net/http.hpp"

namespace zcdp::origin {

/// An access token. Never logged, never part of an error.
struct Token {
    std::string bearer;  ///< "": anonymous
    int64_t expires_unix_s = 0;
    const std::string& id() const { return bearer; }
};

/// {"access_token"} with "expires_in" (a number or text) or App Service's "expires_on" (seconds since 1970), or of
/// Google's impersonation {"accessToken", "expireTime"}. One that says no end lasts an hour. Pure. Errors: denied.
Result<Token> parse_token(std::string_view json, int64_t now_unix_s);

/// A JSON object and nothing else. `what` names it in the error. Pure. Errors: `kind`.
Result<boost::json::object> parse_json_object(std::string_view text, const std::string& what, ErrorKind kind);
/// A member that is a whole number, or such a number as text. Pure.
bool number_of(const boost::json::object& object, std::string_view name, uint64_t& value);

/// Whether `text` may stand in a header: visible ASCII, not empty, no longer than 64 KiB. Pure.
bool is_header_word(std::string_view text);

/// The word by which a service says why it refuses: RFC 6749's "error", AWS's "Code" in JSON or XML. "" when there is
/// none. Pure.
std::string refusal_word(std::string_view body);

/// Asks a service for a token or what leads to one; the answer's body. `hint`: what to do when it refuses. Every error
/// names the service. A redirect is never followed: what the request carries is meant for nobody else. Errors: usage
/// (the URL), denied, unreachable, timeout, throttled (5xx, 429: to be asked later).
Task<Result<std::string>> ask_token_service(net::HttpClient& http, std::string url, net::Request request,
                                            uint64_t timeout_ms, std::string hint);

/// What was read out of a service's answer; an error names the service.
template <class T>
Result<T> said_by(const std::string& url, Result<T> parsed) {
    if (parsed) return parsed;
    return std::move(parsed).error().about(url.substr(0, url.find('?')));
}

/// The error for a machine's own credentials service (the metadata server) that gave none. This machine may have no
/// such service, so: denied, "no credentials were found", with `hint`. But `why` itself when the service `has_given`
/// some before, or asks to be asked later. Pure.
Error none_found(const Error& why, bool has_given, std::string hint);

/// A POST of a form that answers with a token.
Task<Result<Token>> exchange_form(net::HttpClient& http, std::string url, std::string form, int64_t now_unix_s,
                                  std::string hint);

}  // namespace zcdp::origin
