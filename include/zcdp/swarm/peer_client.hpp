// Asks other members: the other side of peer_server.hpp.
// Thread rule: belongs to its client's loop. Ownership: the client outlives it, and what it returns.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "zcdp/net/http.hpp"
#include "zcdp/swarm/wire.hpp"

namespace zcdp::swarm {

/// A piece on its way.
struct PieceAnswer {
    std::string claim;  ///< with which it comes; "" without one
    std::unique_ptr<net::Response> body;
};

class PeerClient {
  public:
    PeerClient(net::HttpClient& http, std::string swarm, uint64_t pieces)
        : http_(http), swarm_(std::move(swarm)), pieces_(pieces) {}

    /// The member's news once they are not those of `version`; nullopt when they still are after `wait_ms`. Errors:
    /// not_found (it has no such swarm), corrupt (no news), what asking ends with.
    Task<Result<std::optional<News>>> news(net::Endpoint member, uint64_t version, uint64_t wait_ms);
    /// The piece's bytes, to be read from the answer, which has as many. Errors: not_found (it has not got it), busy,
    /// corrupt (another length), what asking ends with.
    Task<Result<PieceAnswer>> piece(net::Endpoint member, uint64_t piece, uint64_t size_bytes);

    /// The manifest of the snapshot that a holder has, to be read from the answer, however long that is, until `until`.
    /// Errors: not_found (it holds none), busy, what asking ends with.
    Task<Result<std::unique_ptr<net::Response>>> manifest(net::Endpoint member, Deadline until);

  private:
    net::HttpClient& http_;
    const std::string swarm_;
    const uint64_t pieces_;
};

}  // namespace zcdp::swarm
