// Flags of commands that speak to a cluster, and the connection they make.
#pragma once

#include <memory>
#include <string>

#include "src/modes/command_line.hpp"
#include "src/modes/context.hpp"
#include "zcdp/kube/api.hpp"

namespace zcdp::modes {

struct KubeFlags {
    std::string kubeconfig, context;
};
void add_kube_flags(Command command, KubeFlags& flags);

/// An API connection and what it needs to stay alive.
struct Cluster {
    std::unique_ptr<kube::Api> api;
    std::string default_namespace, described;
};
Result<Cluster> connect_cluster(Context& context, const KubeFlags& flags, Logger& log);

}  // namespace zcdp::modes
