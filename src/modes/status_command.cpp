// zcdp status | explain
#include <fmt/core.h>

#include "src/modes/context.hpp"
#include "src/modes/kube_flags.hpp"
#include "zcdp/base/json.hpp"
#include "zcdp/base/units.hpp"
#include "zcdp/services/cluster_view.hpp"

namespace zcdp::modes {
namespace {

struct Flags {
    KubeFlags kube;
    std::string ns, kind, name;
    bool json = false;
};

std::string json_of(const services::StatusDataset& dataset) {
    std::string nodes;
    for (const auto& node : dataset.nodes) {
        JsonObject one;
        one.add("node", node.node)
            .add("phase", node.phase)
            .add("progress", node.progress)
            .add("reason", node.reason)
            .add("message", node.message);
        one.add("bytes_done", node.bytes_done)
            .add("bytes_total", node.bytes_total)
            .add("bytes_per_second", node.bytes_per_second);
        one.add("origin_bytes", node.origin_bytes)
            .add("peer_bytes", node.peer_bytes)
            .add("reused_bytes", node.reused_bytes);
        one.add("eta_seconds", node.eta_seconds).add("pods", uint64_t{node.pods});
        one.add("neighbours", uint64_t{node.neighbours}).add("troubled", uint64_t{node.troubled});
        nodes += (nodes.empty() ? "" : ",") + one.str();
    }
    JsonObject out;
    out.add("namespace", dataset.ns)
        .add("name", dataset.name)
        .add("phase", dataset.phase)
        .add("ready", dataset.ready)
        .add("bytes", dataset.bytes);
    out.add("origin_bytes", dataset.origin_bytes)
        .add("peer_bytes", dataset.peer_bytes)
        .add("reused_bytes", dataset.reused_bytes)
        .add("snapshot", dataset.snapshot);
    out.add("reason", dataset.reason).add("message", dataset.message).raw("nodes", "[" + nodes + "]");
    return out.str();
}

/// ", 7 neighbours, 1 in trouble"; "" without any.
std::string neighbours_text(const services::StatusNode& node) {
    if (node.neighbours == 0 && node.troubled == 0) return "";
    const std::string troubled = node.troubled == 0 ? "" : fmt::format(", {} in trouble", node.troubled);
    return fmt::format(", {} neighbour{}{}", node.neighbours, node.neighbours == 1 ? "" : "s", troubled);
}

void print_table(const services::ClusterStatus& status) {
    fmt::print("controllers ready: {}   agents ready: {} of {} nodes\n", status.controllers_ready, status.agents_ready,
               status.nodes);
    if (status.datasets.empty()) {
        fmt::print("there are no Datasets\n");
        return;
    }
    fmt::print("\n{:<38}{:<10}{:>7}{:>12}  {}\n", "DATASET", "PHASE", "NODES", "SIZE", "WHY");
    for (const auto& dataset : status.datasets) {
        fmt::print("{:<38}{:<10}{:>7}{:>12}  {}{}{}\n", dataset.ns + "/" + dataset.name, dataset.phase, dataset.ready,
                   dataset.size, dataset.reason, dataset.message.empty() ? "" : ": ", dataset.message);
        for (const auto& node : dataset.nodes) {
            std::string detail = services::sources_text(node.origin_bytes, node.peer_bytes, node.reused_bytes);
            if (node.pods > 0)
                detail = fmt::format("{} pod{}{}{}", node.pods, node.pods == 1 ? "" : "s", detail.empty() ? "" : "; ",
                                     detail);
            if (node.phase == "Syncing")
                detail =
                    fmt::format("{} of {}, {}/s, {} left", format_size(node.bytes_done), format_size(node.bytes_total),
                                format_size(node.bytes_per_second), format_duration(node.eta_seconds * 1000)) +
                    neighbours_text(node);
            if (!node.reason.empty()) detail = node.reason + ": " + node.message;
            fmt::print("  {:<36}{:<10}{:>7}{:>12}  {}\n", node.node, node.phase, node.progress, "", detail);
        }
    }
}

int run_status(Context& context, Flags& flags) {
    Logger log = context.logger();
    auto cluster = connect_cluster(context, flags.kube, log);
    if (!cluster) return report(cluster.error());
    auto status = services::cluster_status(*cluster->api, flags.ns);
    if (!status) return report(status.error());
    if (!flags.json) {
        print_table(*status);
        return 0;
    }
    std::string datasets;
    for (const auto& dataset : status->datasets) datasets += (datasets.empty() ? "" : ",") + json_of(dataset);
    JsonObject out;
    out.add("nodes", uint64_t{status->nodes})
        .add("agents_ready", uint64_t{status->agents_ready})
        .add("controllers_ready", uint64_t{status->controllers_ready});
    out.raw("datasets", "[" + datasets + "]");
    fmt::print("{}\n", out.str());
    return 0;
}

int run_explain(Context& context, Flags& flags) {
    Logger log = context.logger();
    auto cluster = connect_cluster(context, flags.kube, log);
    if (!cluster) return report(cluster.error());
    const std::string ns = flags.ns.empty() ? cluster->default_namespace : flags.ns;
    auto why = services::explain(*cluster->api, flags.kind, ns, flags.name);
    if (!why) return report(why.error());
    if (flags.json) {
        JsonObject out;
        out.add("fine", why->fine).add("step", why->step).add("message", why->message).add("hint", why->hint);
        out.add("peers", why->peers);
        fmt::print("{}\n", out.str());
        return why->fine ? 0 : 1;
    }
    if (why->fine) fmt::print("{}\n", why->message);
    else fmt::print("blocked at: {}\n{}\n-> {}\n", why->step, why->message, why->hint);
    for (const std::string& line : why->peers) fmt::print("  {}\n", line);
    return why->fine ? 0 : 1;
}

}  // namespace

void add_status(Command program, Action& action) {
    auto flags = std::make_shared<Flags>();
    Command status = program.add_command("status", "the cluster's datasets, nodes and transfers");
    status.add_option("-n,--namespace", flags->ns, "only this namespace").type_name("NAME");
    status.add_flag("--json", flags->json, "as one JSON object");
    add_kube_flags(status, flags->kube);
    status.on_parsed([flags, &action] { action = [flags](Context& context) { return run_status(context, *flags); }; });
}

void add_explain(Command program, Action& action) {
    auto flags = std::make_shared<Flags>();
    Command explain =
        program.add_command("explain", "the one step that blocks a pod, dataset, claim or node, and what to do");
    explain.footer("Exit code 0: nothing blocks; 1: something does, and it is named.");
    explain.add_option("KIND", flags->kind, "pod, dataset, claim or node")
        .required()
        .one_of({"pod", "dataset", "claim", "node"});
    explain.add_option("NAME", flags->name, "its name").required();
    explain.add_option("-n,--namespace", flags->ns, "its namespace (the context's)").type_name("NAME");
    explain.add_flag("--json", flags->json, "as one JSON object");
    add_kube_flags(explain, flags->kube);
    explain.on_parsed(
        [flags, &action] { action = [flags](Context& context) { return run_explain(context, *flags); }; });
}

}  // namespace zcdp::modes
