#include "zcdp/services/prefetch.hpp"

#include <fmt/format.h>

#include "src/services/client/read.hpp"
#include "zcdp/base/stop.hpp"
#include "zcdp/base/units.hpp"

namespace zcdp::services {
namespace {

namespace json = boost::json;

/// Nodes, Dataset and NodeDatasets are read again: three watches would bring more than this wants to know.
constexpr uint64_t kLookEveryMs = 500;
constexpr int kPatience = 120;  // looks at an error that stays

kube::ApiResult<> annotate(kube::Api& api, const PrefetchOptions& options, json::value value) {
    const json::object patch{
        {"metadata", json::object{{"annotations", json::object{{api::kPrefetchAnnotation, std::move(value)}}}}}};
    auto put = api.patch(kube::resources::datasets, options.ns, options.dataset, kube::PatchKind::merge, patch);
    if (!put) return std::move(put).error();
    return {};
}

/// One look: the line to show, and whether all is there.
struct Look {
    size_t wanted = 0, ready = 0;
    std::string line;
    std::optional<api::LastError> error;
};

Result<Look> look(kube::Api& api, const PrefetchOptions& options) {
    Look out;
    ZCDP_TRY(const auto dataset, read_one<api::Dataset>(api, kube::resources::datasets, options.ns, options.dataset));
    if (const auto* listed = api::find_condition(dataset.status.conditions, "Listed");
        listed && listed->status == api::ConditionStatus::no)
        out.error = api::LastError{listed->reason, listed->message, "", "", 0};
    ZCDP_TRY(const auto nodes, read_all<api::Node>(api, kube::resources::nodes));
    ZCDP_TRY(const auto held, read_all<api::NodeDataset>(api, kube::resources::node_datasets));
    const auto labels = api::parse_labels(options.node_selector);
    uint64_t done = 0, total = 0, rate = 0;
    for (const auto& node : nodes) {
        if (!node.ready() || node.leaving() || !api::has_labels(node.metadata.labels, labels) ||
            !api::has_labels(node.metadata.labels, dataset.spec.placement.node_selector))
            continue;
        ++out.wanted;
        for (const auto& one : held) {
            if (one.spec.node != node.metadata.name || one.spec.dataset.uid != dataset.metadata.uid ||
                one.spec.revision != dataset.status.revision)
                continue;
            out.ready += one.status.phase == api::Phase::ready;
            done += one.status.bytes_done, total += one.status.bytes_total,
                rate += one.status.phase == api::Phase::syncing ? one.status.bytes_per_second : 0;
            if (one.status.last_error && one.status.phase != api::Phase::ready) out.error = one.status.last_error;
        }
    }
    out.line = fmt::format("{} of {} nodes ready, {} of {}, {}/s{}", out.ready, out.wanted, format_size(done),
                           format_size(total), format_size(rate),
                           out.error ? " (" + out.error->reason.str() + ": " + out.error->message + ")" : "");
    return out;
}

Result<> wait(kube::Api& api, const PrefetchOptions& options, const std::function<void(const std::string&)>& say,
              std::stop_token stop) {
    std::string last;
    for (int bad = 0; !stop.stop_requested(); (void)wait_for_stop(stop, kLookEveryMs)) {
        ZCDP_TRY(const Look now, look(api, options));
        if (now.line != last) say(now.line);
        last = now.line;
        if (now.wanted == 0)
            return Error(ErrorKind::not_found, "no Ready node has these labels", options.node_selector,
                         "kubectl get nodes --show-labels");
        if (now.ready == now.wanted) return {};
        bad = now.error ? bad + 1 : 0;
        if (bad > kPatience)
            return Error(ErrorKind::failed, now.error->reason.str() + ": " + now.error->message,
                         "dataset " + options.dataset, "zcdp explain dataset " + options.dataset);
    }
    return Error(ErrorKind::interrupted, "stopped; what was fetched stays", "dataset " + options.dataset,
                 "run the same command again");
}

}  // namespace

Result<> prefetch(kube::Api& api, const PrefetchOptions& options, const std::function<void(const std::string&)>& say,
                  std::stop_token stop) {
    ZCDP_CHECK(read_one<api::Dataset>(api, kube::resources::datasets, options.ns, options.dataset));
    if (auto put = annotate(api, options, json::value(options.node_selector)); !put) return put.error().to_error();
    auto done = wait(api, options, say, stop);
    if (auto taken = annotate(api, options, nullptr); !taken && done) return taken.error().to_error();
    return done;
}

}  // namespace zcdp::services
