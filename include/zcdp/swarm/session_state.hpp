// How a member's part in a swarm goes, for people. Thread rule: values.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>

namespace zcdp::swarm {

/// Why the origin was asked: pieces.
struct DrawnPieces {
    uint64_t owned = 0;       ///< because they fell to this member
    uint64_t taken_over = 0;  ///< in the place of an owner that was late
    uint64_t again = 0;       ///< because those that had them were gone
    uint64_t compared = 0;
    uint64_t over_budget = 0;           ///< of these: more than the budget
    std::set<std::string> late_owners;  ///< "" is not among them
};

struct SessionState {
    uint32_t neighbours = 0;
    /// Of members: "unreachable", "slow", or why it is banned, as name(Strike) has it.
    std::map<std::string, std::string> troubled;
    uint64_t pieces = 0;  ///< of the dataset
    DrawnPieces drawn;
};

}  // namespace zcdp::swarm
