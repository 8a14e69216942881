// An answer whose header is here: its body as it comes, and when that comes too slowly. Thread rule: belongs to the
// client's loop.
#pragma once

#include <memory>

#include "src/net/client/pool.hpp"
#include "src/net/client/response_header.hpp"

namespace zcdp::net {

/// What is said of a request or a body for which nothing came for that long.
Error stalled(uint32_t silence_ms);

/// `bodiless`: nothing follows this header, whatever it says. `silence_ms` as in Request; 0: for ever.
std::unique_ptr<Response> make_response(Loan loan, ResponseHeader header, bool bodiless, const Limits& limits,
                                        uint32_t silence_ms, Deadline deadline);

}  // namespace zcdp::net
