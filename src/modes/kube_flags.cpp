#include "src/modes/kube_flags.hpp"

#include "zcdp_version.hpp"

namespace zcdp::modes {

void add_kube_flags(Command command, KubeFlags& flags) {
    command
        .add_option("--kubeconfig", flags.kubeconfig,
                    "kubeconfig (KUBECONFIG, ~/.kube/config; in a pod its ServiceAccount)")
        .type_name("FILE");
    command.add_option("--context", flags.context, "context of the kubeconfig").type_name("NAME");
}

Result<Cluster> connect_cluster(Context& context, const KubeFlags& flags, Logger& log) {
    const auto environment = context.machine(log).environment;
    ZCDP_TRY(auto connection, kube::find_connection(flags.kubeconfig, flags.context, context.fs, environment));
    Cluster out;
    out.default_namespace = connection.default_namespace, out.described = connection.described;
    out.api = kube::connect(std::move(connection), std::string("zcdp/") + ZCDP_VERSION, context.fs, context.clock,
                            context.metrics, log);
    return out;
}

}  // namespace zcdp::modes
