// A request's header, strictly as RFC 9112 writes it. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace zcdp::services::serve {

struct HttpRequest {
    std::string method, target;
    std::vector<std::pair<std::string, std::string>> headers;  ///< names in lower case, values trimmed
    uint64_t body_bytes = 0;
    bool body_in_chunks = false;  ///< of a length that is not said
    bool keep_alive = true;

    /// "" when it is not there; the first of several.
    std::string_view header(std::string_view name) const;
};

/// From the bytes up to and with the empty line; nullopt when they are no request that is understood here.
std::optional<HttpRequest> parse_request(std::string_view bytes);

}  // namespace zcdp::services::serve
