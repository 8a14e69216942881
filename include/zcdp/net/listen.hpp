// Thread rule: values.
#pragma once

#include <cstdint>
#include <string>

#include "zcdp/base/error.hpp"

namespace zcdp::net {

/// Where a server listens: "ADDRESS:PORT", an IPv6 address in brackets, port 0 for any. Errors: usage.
struct Listen {
    std::string host;
    uint16_t port = 0;
    static Result<Listen> parse(const std::string& text);
};

}  // namespace zcdp::net
