// What members say to each other over HTTP/1.1 (docs/formats.md, "Between members"): the targets, and the bodies that
// are no piece's bytes. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "zcdp/base/error.hpp"
#include "zcdp/swarm/have_map.hpp"

namespace zcdp::swarm {

/// As net::server::Router takes them.
inline constexpr std::string_view kNewsPattern = "/v1/swarms/{swarm}/news",
                                  kPiecePattern = "/v1/swarms/{swarm}/pieces/{piece}",
                                  kManifestPattern = "/v1/swarms/{swarm}/manifest";
/// The header that brings a piece's claim, in base64.
inline constexpr std::string_view kClaimHeader = "Zcdp-Claim";

/// A long poll: answered at once when the member's news are not those of `version`, else when they change, or after
/// `wait_ms` unchanged. `swarm` needs no percent-encoding.
std::string news_target(std::string_view swarm, uint64_t version, uint64_t wait_ms);
std::string piece_target(std::string_view swarm, uint64_t piece);
std::string manifest_target(std::string_view swarm);

/// What a member says of itself.
struct News {
    uint64_t version = 0;  ///< of its news; a number that grows, from a random one on
    HaveMap have;          ///< what it has
    HaveMap there;         ///< what it believes some getter has
    HaveMap drawing;       ///< what it draws now
    uint64_t load = 0;     ///< how many pieces are asked of it now: those that it sends, and those that wait

    std::string encode() const;
    /// Of what encode() gives.
    static size_t encoded_bytes(uint64_t pieces);
    /// Errors: corrupt, for what encode() does not write, and for maps of another number of pieces.
    static Result<News> decode(std::string_view bytes, uint64_t pieces);
    bool operator==(const News&) const = default;
};

}  // namespace zcdp::swarm
