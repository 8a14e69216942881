// What agents and controllers say to each other about swarms (docs/formats.md, "Between agents and controllers"):
// targets and JSON. A reader refuses what is longer, deeper or more than anybody writes. Pure.
#pragma once

#include <string>
#include <string_view>

#include "zcdp/api/dataset_key.hpp"
#include "zcdp/base/error.hpp"
#include "zcdp/base/ids.hpp"
#include "zcdp/swarm/introducer.hpp"

namespace zcdp::services::peers {

inline constexpr std::string_view kPeersPath = "/v1/peers", kCertificatesPath = "/v1/certificates";
/// Of any body, either way.
inline constexpr size_t kBodyBytesMost = 64 << 10;

std::string peers_target(const api::DatasetKey& dataset, const Revision& revision);

/// Whether it is "HOST:PORT" as members are told it: IPv6 in brackets, no name in capitals.
bool is_peer_address(std::string_view address);

std::string to_text(const swarm::MemberNews& news);
std::string to_text(const swarm::Introduction& introduction);
/// Errors: refused.
Result<swarm::MemberNews> read_news(std::string_view text);
Result<swarm::Introduction> read_introduction(std::string_view text);

/// The answer to a certificate request.
struct Certified {
    std::string certificate_pem;
    std::string ca_pem;  ///< whom to trust: the CA, and the one before it
};
std::string to_text(const Certified& certified);
/// Errors: refused.
Result<Certified> read_certified(std::string_view text);

}  // namespace zcdp::services::peers
