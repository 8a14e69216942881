// zcdp install | uninstall
#include <fmt/core.h>

#include "src/modes/context.hpp"
#include "src/modes/kube_flags.hpp"
#include "src/modes/signals.hpp"
#include "src/modes/streams.hpp"
#include "zcdp/base/units.hpp"
#include "zcdp/services/install.hpp"

namespace zcdp::modes {
namespace {

struct Flags {
    services::InstallOptions install;
    KubeFlags kube;
    std::string timeout = "3m";
    bool print = false;
};

using Work = Result<> (*)(kube::Api&, const services::InstallOptions&, const services::Say&, const Clock&,
                          std::stop_token);

int run(Context& context, Flags& flags, Work work) {
    flags.install.timeout_ms = *parse_duration_ms(flags.timeout);
    if (flags.print) {
        fmt::print("{}", services::manifests_yaml(flags.install));
        return 0;
    }
    const StopOnSignal on_signal;
    Logger log = context.logger();
    auto cluster = connect_cluster(context, flags.kube, log);
    if (!cluster) return report(cluster.error());
    auto done = work(*cluster->api, flags.install, context.lines(), context.clock, on_signal.token());
    return done ? 0 : report(done.error());
}

}  // namespace

void add_install(Command program, Action& action) {
    auto flags = std::make_shared<Flags>();
    Command install = program.add_command("install", "put zcdp into a cluster, and wait until it is ready");
    install.add_flag("--print", flags->print, "only print the manifests, for kubectl apply -f -");
    install.add_option("--image", flags->install.image, "the image of controller and agent")
        .type_name("IMAGE")
        .show_default();
    install
        .add_option("--cluster-range", flags->install.cluster_ranges,
                    "CIDRs of pods and services, which endpoints may not resolve to unless their backend allows it")
        .type_name("CIDR,…");
    install.add_duration("--timeout", flags->timeout, "for each part to become ready").show_default();
    add_kube_flags(install, flags->kube);
    install.on_parsed(
        [flags, &action] { action = [flags](Context& context) { return run(context, *flags, services::install); }; });
}

void add_uninstall(Command program, Action& action) {
    auto flags = std::make_shared<Flags>();
    Command uninstall =
        program.add_command("uninstall", "take zcdp and its data out of a cluster; refuses while a pod uses a dataset");
    uninstall.add_duration("--timeout", flags->timeout, "for each part to be gone").show_default();
    add_kube_flags(uninstall, flags->kube);
    uninstall.on_parsed(
        [flags, &action] { action = [flags](Context& context) { return run(context, *flags, services::uninstall); }; });
}

}  // namespace zcdp::modes
