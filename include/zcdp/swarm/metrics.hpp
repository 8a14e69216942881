// What members of swarms count. Thread rule: constants.
#pragma once

#include "zcdp/base/metrics.hpp"

namespace zcdp::swarm::metric {

inline constexpr MetricName strikes{"zcdp_peer_strikes_total",
                                    "What other nodes did wrong as peers, by reason: wrong_bytes, too_slow, "
                                    "false_claim. Three within an hour, or one false claim, ban one for an hour."};

}  // namespace zcdp::swarm::metric
