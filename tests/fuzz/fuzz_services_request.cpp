// Any bytes as a request's header to `zcdp serve`: refused, or a request of RFC 9112 that, written again, is read as
// the same; and never one whose end two readers could see at two places.
#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>

#include "src/services/serve/http_request.hpp"

namespace {

using zcdp::services::serve::HttpRequest;
using zcdp::services::serve::parse_request;

void require(bool holds) {
    if (!holds) std::abort();
}

/// RFC 9110 5.6.2.
bool is_token(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
    });
}

/// RFC 9112 6.3: of two lengths that differ one would hide a request in another's body.
void one_end(const HttpRequest& request) {
    for (const auto& [name, value] : request.headers) {
        if (name != "content-length") continue;
        require(value == request.header("content-length"));
        require(std::all_of(value.begin(), value.end(), [](char c) { return c >= '0' && c <= '9'; }) && !value.empty());
    }
}

std::string written(const HttpRequest& request) {
    std::string out = request.method + " " + request.target + " HTTP/1.1\r\n";
    for (const auto& [name, value] : request.headers) out.append(name).append(": ").append(value).append("\r\n");
    return out + "\r\n";
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const auto request = parse_request({reinterpret_cast<const char*>(data), size});
    if (!request) return 0;
    require(is_token(request->method) && !request->target.empty());
    require(request->target.find_first_of(std::string_view(" \t\r\n\0", 5)) == std::string::npos);
    for (const auto& [name, value] : request->headers) {
        require(is_token(name) && std::none_of(name.begin(), name.end(), [](char c) { return c >= 'A' && c <= 'Z'; }));
        require(value.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos);
    }
    one_end(*request);
    const auto again = parse_request(written(*request));
    require(again && again->method == request->method && again->target == request->target);
    require(again->headers == request->headers && again->body_bytes == request->body_bytes);
    return 0;
}
