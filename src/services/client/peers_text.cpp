#include "src/services/client/peers_text.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <vector>

namespace zcdp::services {
namespace {

std::string reads_text(const api::NodePeers& peers) {
    std::vector<std::string> parts;
    if (peers.owned > 0) parts.push_back(fmt::format("{} as their owner", peers.owned));
    if (peers.taken_over > 0)
        parts.push_back(fmt::format("{} in place of {}", peers.taken_over,
                                    peers.late_owners.empty()
                                        ? "another node, which was late"
                                        : fmt::format("{}, which {} late", fmt::join(peers.late_owners, ", "),
                                                      peers.late_owners.size() == 1 ? "was" : "were")));
    if (peers.drawn_again > 0) parts.push_back(fmt::format("{} again, lost with a node", peers.drawn_again));
    if (peers.compared > 0) parts.push_back(fmt::format("{} to compare", peers.compared));
    if (parts.empty()) parts.emplace_back("none");
    std::string text = fmt::format("{}", fmt::join(parts, ", "));
    if (peers.over_budget > 0) text += fmt::format(" ({} over the budget)", peers.over_budget);
    return text;
}

}  // namespace

std::string peers_text(const std::string& node, const api::NodePeers& peers) {
    if (peers.pieces == 0) return "";
    std::string out = fmt::format("{}: {} neighbour{}; of {} pieces from the origin: {}", node, peers.neighbours,
                                  peers.neighbours == 1 ? "" : "s", peers.pieces, reads_text(peers));
    for (const api::PeerTrouble& trouble : peers.troubled) {
        const bool is_banned = trouble.reason != "unreachable" && trouble.reason != "slow";
        out += fmt::format("; {} is {}", trouble.node, is_banned ? "banned: " + trouble.reason : trouble.reason);
    }
    return out;
}

}  // namespace zcdp::services
