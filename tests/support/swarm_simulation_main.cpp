// The simulated swarm as a program: bench/swarm_simulation.py asks it for a row, "NAME=VALUE ..." in, one JSON object
// out.
#include <fmt/format.h>

#include <cstdlib>
#include <map>
#include <string>

#include "tests/support/sim_swarm.hpp"

namespace {

std::map<std::string, double> arguments(int argc, char** argv) {
    std::map<std::string, double> out;
    for (int i = 1; i < argc; ++i) {
        const std::string word = argv[i];
        const size_t equals = word.find('=');
        if (equals == word.npos) {
            fmt::print(stderr, "swarm_simulation: write NAME=VALUE, not {}\n", word);
            std::exit(2);
        }
        out[word.substr(0, equals)] = std::strtod(word.c_str() + equals + 1, nullptr);
    }
    return out;
}

bool set(zcdp::swarm::SimOptions& options, const std::string& name, double value) {
    const auto count = static_cast<uint32_t>(value);
    if (name == "seed") options.seed = count;
    else if (name == "receivers") options.receivers = count;
    else if (name == "pieces") options.pieces = count;
    else if (name == "piece_ms") options.piece_ms = value;
    else if (name == "source_is_member") options.source_is_member = value != 0;
    else if (name == "source_links") options.source_links = value;
    else if (name == "connection_links") options.connection_links = value;
    else if (name == "slow") options.slow = value;
    else if (name == "lost") options.lost = value;
    else if (name == "hung") options.hung = value;
    else if (name == "slots") options.slots = count;
    else if (name == "latency_ms") options.latency_ms = value;
    else if (name == "neighbours") options.introducer.neighbours = count;
    else if (name == "asks_most") options.chooser.asks_most = count;
    else if (name == "asks_drawing") options.chooser.asks_while_drawing = count;
    else if (name == "draws_most") options.chooser.draws_most = count;
    else if (name == "window") options.chooser.window = count;
    else if (name == "strangers") options.introducer.strangers_least = count;
    else if (name == "together_ms") options.together_ms = value;
    else if (name == "window_first") options.chooser.draws.window_first = count;
    else if (name == "slow_factor") options.chooser.draws.slow_factor = value;
    else if (name == "seen_least") options.chooser.draws.seen_least = count;
    else if (name == "worth") options.chooser.draws.worth = value;
    else if (name == "compare_one_in") options.compare_one_in = count;
    else if (name == "budget_percent") options.chooser.budget.percent = count;
    else if (name == "controllers_go") options.controllers_go = value != 0;
    else if (name == "once") options.chooser.last_pieces = 0, options.chooser.late_ms_least = 1'000'000'000;
    else return false;
    return true;
}

}  // namespace

int main(int argc, char** argv) {
    zcdp::swarm::SimOptions options;
    for (const auto& [name, value] : arguments(argc, argv)) {
        if (!set(options, name, value)) {
            fmt::print(stderr, "swarm_simulation: there is no {}\n", name);
            return 2;
        }
    }
    const zcdp::swarm::SimReport report = zcdp::swarm::SimSwarm(options).run();
    fmt::print(
        R"({{"ended": {}, "healthy": {}, "healthy_last": {:.4f}, "last": {:.4f}, "drawn": {:.4f}, "asked_twice": {}, "taken_over": {}, "lost": {}, "compared": {}, "over_budget": {}, "source_end": {:.3f}, "uplinks": [{:.2f}]}})"
        "\n",
        report.ended, report.healthy, report.healthy_last, report.last, report.drawn, report.asked_twice,
        report.taken_over, report.lost, report.compared, report.over_budget, report.source_end,
        fmt::join(report.uplinks, ", "));
    return report.ended ? 0 : 1;
}
