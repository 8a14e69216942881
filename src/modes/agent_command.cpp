// zcdp agent | controller: the two long-running modes of a cluster
#include <fmt/core.h>
#include <unistd.h>

#include "src/modes/context.hpp"
#include "src/modes/kube_flags.hpp"
#include "src/modes/signals.hpp"
#include "zcdp/base/units.hpp"
#include "zcdp/net/endpoint.hpp"
#include "zcdp/net/listen.hpp"
#include "zcdp/services/agent.hpp"
#include "zcdp/services/controller.hpp"
#include "zcdp_version.hpp"

namespace zcdp::modes {
namespace {

struct AgentFlags {
    services::AgentOptions agent;
    std::string peer_upload;
    KubeFlags kube;
};
struct ControllerFlags {
    services::ControllerOptions controller;
    KubeFlags kube;
};

/// What both modes begin with: no core files, many open files, signals, a log, a cluster; then `work`.
template <class Work>
int serve(Context& context, const KubeFlags& kube, Work work) {
    forbid_core_files();
    raise_open_files();
    const StopOnSignal on_signal;
    Logger log = context.logger();
    auto cluster = connect_cluster(context, kube, log);
    if (!cluster) return report(cluster.error());
    const Result<> done = work(*cluster->api, context.machine(log), on_signal.token());
    return done ? 0 : report(done.error());
}

/// Where other nodes find this one; "" where nobody knows. Errors: usage.
Result<std::string> peer_address(const services::AgentOptions& agent, Machine machine) {
    const std::string pod_ip = machine.environment("POD_IP");
    const bool is_told = !agent.peer_address.empty();
    if (agent.peer_listen.empty() || agent.peer_listen == "none" || (!is_told && pod_ip.empty())) return std::string();
    ZCDP_TRY(const net::Listen listen, net::Listen::parse(agent.peer_listen));
    if (!is_told) return net::Endpoint{.host = pod_ip, .port = listen.port}.host_and_port();
    ZCDP_CHECK(net::Listen::parse(agent.peer_address));
    return agent.peer_address;
}

int run_agent(Context& context, AgentFlags& flags) {
    return serve(context, flags.kube, [&](kube::Api& api, Machine machine, std::stop_token stop) -> Result<> {
        if (flags.agent.node.empty()) flags.agent.node = machine.environment("NODE_NAME");
        if (flags.agent.node.empty())
            return Error(ErrorKind::usage, "needs the node's name", "zcdp agent",
                         "--node, or NODE_NAME from spec.nodeName");
        flags.agent.peer_bytes_per_second = parse_rate(flags.peer_upload).value_or(0);
        ZCDP_TRY(flags.agent.peer_address, peer_address(flags.agent, machine));
        flags.agent.version = ZCDP_VERSION;
        return services::run_agent(flags.agent, api, machine, std::move(stop));
    });
}

int run_controller(Context& context, ControllerFlags& flags) {
    return serve(context, flags.kube, [&](kube::Api& api, Machine machine, std::stop_token stop) {
        std::string& identity = flags.controller.identity;
        if (identity.empty()) identity = machine.environment("POD_NAME");
        if (identity.empty()) identity = fmt::format("pid-{}-{}", ::getpid(), context.random.hex(6));
        return services::run_controller(flags.controller, api, machine, std::move(stop));
    });
}

constexpr const char* kRanges =
    "addresses of the cluster's pods and services, which no endpoint may resolve to unless its backend allows it";

}  // namespace

void add_agent(Command program, Action& action) {
    auto flags = std::make_shared<AgentFlags>();
    Command agent =
        program.add_command("agent", "the DaemonSet's process: keeps a node's datasets and mounts them into pods");
    agent.add_option("--node", flags->agent.node, "this node's name (NODE_NAME)").type_name("NAME");
    agent.add_option("--store", flags->agent.store, "the store").type_name("DIR").show_default();
    agent.add_option("--socket", flags->agent.socket, "unix socket for zcdp commands of this node")
        .type_name("PATH")
        .show_default();
    agent.add_option("--registration", flags->agent.registration, "unix socket in kubelet's plugins_registry")
        .type_name("PATH")
        .show_default();
    agent.add_option("--listen", flags->agent.listen, "metrics and health").type_name("ADDRESS:PORT").show_default();
    agent.add_option("--cluster-range", flags->agent.cluster_ranges, kRanges).type_name("CIDR").separated_by(',');
    agent.add_option("--syncs", flags->agent.syncs_at_once, "datasets fetched at once").range(1, 64).show_default();
    agent.add_option("--high-watermark", flags->agent.high_watermark_percent, "of the disk: eviction begins")
        .range(1, 100)
        .show_default();
    agent.add_option("--low-watermark", flags->agent.low_watermark_percent, "of the disk: eviction ends")
        .range(1, 100)
        .show_default();
    agent.add_option("--peer-listen", flags->agent.peer_listen, "for other nodes' agents; none: no peers")
        .type_name("ADDRESS:PORT")
        .show_default();
    agent
        .add_option("--peer-address", flags->agent.peer_address,
                    "as other nodes are told (POD_IP, with the port of --peer-listen)")
        .type_name("ADDRESS:PORT");
    agent.add_option("--peer-slots", flags->agent.peer_slots, "pieces sent to other nodes at once")
        .range(1, 1024)
        .show_default();
    agent.add_rate("--peer-upload", flags->peer_upload, "bytes a second sent to all other nodes together");
    agent.add_flag("--peer-plain", flags->agent.peer_plain,
                   "HTTP without TLS between nodes: whoever reaches the port gets every dataset");
    add_kube_flags(agent, flags->kube);
    agent.on_parsed([flags, &action] { action = [flags](Context& context) { return run_agent(context, *flags); }; });
}

void add_controller(Command program, Action& action) {
    auto flags = std::make_shared<ControllerFlags>();
    Command controller = program.add_command(
        "controller", "the Deployment's process: decides which node holds what, and runs the webhook");
    controller.add_option("--identity", flags->controller.identity, "this replica's name in the lease (POD_NAME)")
        .type_name("NAME");
    controller.add_option("--listen", flags->controller.listen, "metrics and health")
        .type_name("ADDRESS:PORT")
        .show_default();
    controller.add_option("--webhook-listen", flags->controller.webhook_listen, "the webhook, over TLS")
        .type_name("ADDRESS:PORT")
        .show_default();
    controller.add_option("--cluster-range", flags->controller.cluster_ranges, kRanges)
        .type_name("CIDR")
        .separated_by(',');
    controller.add_option("--scratch", flags->controller.scratch, "takes listings while they run")
        .type_name("DIR")
        .show_default();
    controller.add_flag("!--no-webhook", flags->controller.webhook,
                        "serve neither the webhook nor listings, and keep up nothing of what zcdp set up");
    add_kube_flags(controller, flags->kube);
    controller.on_parsed(
        [flags, &action] { action = [flags](Context& context) { return run_controller(context, *flags); }; });
}

}  // namespace zcdp::modes
