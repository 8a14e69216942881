#include "src/services/controller/dataset_metrics.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>

namespace zcdp::services::controller {
namespace {

struct Gauge {
    const char* name;
    const char* help;
    uint64_t (*value)(const World& world, const api::Dataset& dataset);
};

/// Pods that use the dataset, whether they run or wait, each once.
uint64_t references(const World& world, const api::Dataset& dataset) {
    std::set<std::string> pods;
    for (const auto& claim : world.claims_of(api::dataset_key(dataset)))
        for (const auto& pod : world.pods.by_index(claim->metadata.key()))
            if (!pod->ended()) pods.insert(pod->metadata.uid);
    return pods.size();
}

constexpr Gauge kGauges[] = {
    {"zcdp_dataset_nodes_ready", "Nodes on which the dataset's present revision is ready.",
     [](const World&, const api::Dataset& d) -> uint64_t { return d.status.nodes_ready; }},
    {"zcdp_dataset_nodes_wanted", "Nodes on which pods, replicas or a prefetch want the dataset.",
     [](const World&, const api::Dataset& d) -> uint64_t { return d.status.nodes_wanted; }},
    {"zcdp_dataset_pods", "Pods that use the dataset through a claim and have not ended.", references},
    {"zcdp_dataset_bytes", "Bytes of the dataset's present revision, as the origin lists them.",
     [](const World&, const api::Dataset& d) -> uint64_t { return d.status.bytes.value_or(0); }},
    {"zcdp_dataset_origin_bytes", "Bytes that the nodes which hold the dataset fetched from the origin for it.",
     [](const World&, const api::Dataset& d) -> uint64_t { return d.status.origin_bytes; }},
    {"zcdp_dataset_peer_bytes", "Bytes that the nodes which hold the dataset fetched from other nodes for it.",
     [](const World&, const api::Dataset& d) -> uint64_t { return d.status.peer_bytes; }},
    {"zcdp_dataset_reused_bytes", "Bytes that were on the nodes already when they were asked to hold the dataset.",
     [](const World&, const api::Dataset& d) -> uint64_t { return d.status.reused_bytes; }},
};

/// What all nodes read from the origin of the present revision, of what it has; 0 while it is not known.
double origin_budget_ratio(const World& world, const api::Dataset& dataset) {
    uint64_t origin_bytes = 0;
    for (const auto& held : world.node_datasets.by_index(dataset.metadata.uid))
        if (held->spec.revision == dataset.status.revision) origin_bytes += held->status.origin_bytes;
    const uint64_t bytes = dataset.status.bytes.value_or(0);
    return bytes == 0 ? 0 : static_cast<double>(origin_bytes) / static_cast<double>(bytes);
}

constexpr const char* kOriginBudgetRatio = "zcdp_origin_budget_ratio";

std::string labels_of(const api::Dataset& dataset) {
    return fmt::format("{{namespace=\"{}\",dataset=\"{}\",backend=\"{}\"}}", dataset.metadata.namespace_,
                       dataset.metadata.name, dataset.spec.source.backend);
}

void head(std::string& out, const char* name, const char* help) {
    fmt::format_to(std::back_inserter(out), "# HELP {0} {1}\n# TYPE {0} gauge\n", name, help);
}

}  // namespace

std::string dataset_metrics(const World& world, size_t most) {
    const auto datasets = world.datasets.list();  // by key
    const size_t shown = std::min(most, datasets.size());
    std::string out;
    // Names of Kubernetes objects have no character that the format would have to escape.
    for (const Gauge& gauge : kGauges) {
        head(out, gauge.name, gauge.help);
        for (size_t i = 0; i < shown; ++i)
            fmt::format_to(std::back_inserter(out), "{}{} {}\n", gauge.name, labels_of(*datasets[i]),
                           gauge.value(world, *datasets[i]));
    }
    head(out, kOriginBudgetRatio,
         "Bytes that all nodes together fetched from the origin for the present revision, divided by its bytes.");
    for (size_t i = 0; i < shown; ++i)
        fmt::format_to(std::back_inserter(out), "{}{} {:.4f}\n", kOriginBudgetRatio, labels_of(*datasets[i]),
                       origin_budget_ratio(world, *datasets[i]));
    head(out, "zcdp_datasets_without_series", "Datasets beyond those that have series of their own.");
    fmt::format_to(std::back_inserter(out), "zcdp_datasets_without_series {}\n", datasets.size() - shown);
    head(out, "zcdp_unreadable_objects", "Objects that the controller cannot read now: its log names each.");
    const auto unreadable = [&out](const char* kind, size_t count) {
        fmt::format_to(std::back_inserter(out), "zcdp_unreadable_objects{{kind=\"{}\"}} {}\n", kind, count);
    };
    unreadable("storagebackends", world.backends.unreadable().size());
    unreadable("datasets", world.datasets.unreadable().size());
    unreadable("datasetclaims", world.claims.unreadable().size());
    unreadable("nodedatasets", world.node_datasets.unreadable().size());
    unreadable("pods", world.pods.unreadable().size());
    unreadable("nodes", world.nodes.unreadable().size());
    unreadable("csinodes", world.csi_nodes.unreadable().size());
    return out;
}

}  // namespace zcdp::services::controller
