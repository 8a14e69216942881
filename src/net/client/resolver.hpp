// Names to addresses. getaddrinfo(3) cannot be interrupted, so each question has a thread of its own, which is left
// behind when its answer comes too late. In the static executable glibc's own files and DNS lookups answer.
// Thread rule: belongs to its loop.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <string>
#include <vector>

#include "zcdp/base/error.hpp"
#include "zcdp/base/tasks.hpp"

namespace zcdp::net {

/// All addresses of `host` (a name or a numeric address) with `port`. Errors: not_found (no such name), unreachable
/// (the name service fails), timeout.
Task<Result<std::vector<asio::ip::tcp::endpoint>>> resolve(std::string host, uint16_t port, Deadline deadline);

}  // namespace zcdp::net
