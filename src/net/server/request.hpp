// A request's header, strictly as RFC 9112 writes it: what two readers could understand differently is none. Pure.
#pragma once

#include <cstdint>
#include <string_view>

#include "zcdp/net/server.hpp"

namespace zcdp::net::server {

struct Head {
    Request request;
    bool keep_alive = true;
    bool chunked = false;
    uint64_t content_length = 0;
    bool expects_continue = false;
    bool has_body() const { return chunked || content_length > 0; }
};

enum class HeadVerdict {
    good,
    malformed,            ///< 400
    unknown_expectation,  ///< 417
};

/// From the bytes up to and with the empty line. Refused beyond RFC 9112's grammar: folded lines (5.2), both a
/// Content-Length and a Transfer-Encoding (6.1), several Content-Lengths, codings other than chunked, any of them in
/// HTTP/1.0, and more than 100 fields.
HeadVerdict parse_head(std::string_view bytes, Head& head);

}  // namespace zcdp::net::server
