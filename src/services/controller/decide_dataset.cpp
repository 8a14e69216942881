// In order: where the data is (source), what it is (listing, revisions), who wants it where (demand), what each node is
// told (orders), and what people are told (status).
#include "src/services/controller/decide_dataset.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include "zcdp/base/units.hpp"

namespace zcdp::services {
namespace {

constexpr int64_t kGoneAfterS = 300, kSettleS = 10, kEvictedPauseS = 600;
constexpr uint64_t kListingRetryMostS = 300, kListingRetryFirstS = 5;
constexpr int64_t kChangedFirstS = 10;
constexpr uint32_t kAttemptsOften = 8;
constexpr size_t kHistoryMost = 20;

using NodeSet = std::set<std::string>;

/// What is worked out on the way to a decision.
struct Draft {
    const DatasetView& view;
    DatasetDecision out;
    std::map<std::string, std::shared_ptr<const api::Node>> nodes;
    NodeSet demand;        ///< nodes that should hold it
    NodeSet pod_demand;    ///< of them, those that pods need
    std::string current, target;

    const api::DatasetStatus& before() const { return view.dataset.status; }
    api::DatasetStatus& status() { return out.status; }
    const api::Node* node(const std::string& name) const {
        const auto at = nodes.find(name);
        return at == nodes.end() ? nullptr : at->second.get();
    }
    bool gone(const std::string& name) const { return node_is_gone(node(name), view.now_unix_s); }
    void again_in(uint64_t seconds) { out.again_s = std::min(out.again_s.value_or(seconds), seconds); }
    void condition(const char* type, const char* value, std::string reason, std::string message) {
        api::set_condition(status().conditions, {type, value, view.dataset.metadata.generation, "", std::move(reason), std::move(message)},
                           iso8601(view.now_unix_s));
    }
};

bool eligible(const Draft& draft, const api::Node& node) {
    return node.ready() && !node.spec.unschedulable && !node.metadata.deleting() &&
           api::has_labels(node.metadata.labels, draft.view.dataset.spec.placement.node_selector);
}

std::string policy_of(const api::DatasetClaim& claim) { return claim.spec.policy.empty() ? "Prefer" : claim.spec.policy; }

bool is_ready(const api::NodeDataset& held) { return held.status.phase == "Ready" && held.spec.wanted == "Ensure" && !held.metadata.deleting(); }

std::shared_ptr<const api::NodeDataset> find_held(const Draft& draft, const std::string& node, const std::string& revision) {
    for (const auto& held : draft.view.held)
        if (held->spec.node == node && held->spec.revision == revision) return held;
    return nullptr;
}

bool ready_on(const Draft& draft, const std::string& node, const std::string& revision) {
    const auto held = find_held(draft, node, revision);
    return held && is_ready(*held);
}

int64_t retry_pause_s(const api::DatasetStatus& status, int64_t now) {
    // The longer the listing has been failing, the longer the pause: a quarter of that time.
    const api::Condition* listed = api::find_condition(status.conditions, "Listed");
    const int64_t since = listed && listed->status == "False" ? api::parse_time(listed->last_transition_time) : now;
    return std::clamp<int64_t>((now - since) / 4, kListingRetryFirstS, kListingRetryMostS);
}

void take_listing(Draft& draft, const std::string& key) {
    const ListingOutcome& listing = draft.view.listing;  // of this reign: a leader begins with none
    const bool ours = listing.ended_unix_s > 0 && listing.source == key;
    if (!ours || listing.error) return;
    auto& history = draft.status().history;
    draft.status().last_listed = iso8601(listing.ended_unix_s);
    const bool news = history.empty() || history.front().revision != listing.revision || history.front().source != key;
    if (!news) return;
    std::erase_if(history, [&](const auto& version) { return version.revision == listing.revision; });
    history.insert(history.begin(), api::DatasetVersion{listing.revision, "", listing.objects, listing.bytes, iso8601(listing.ended_unix_s), key});
    if (history.size() > kHistoryMost) history.resize(kHistoryMost);
}

/// A node found that the newest revision is no longer what the origin has: when to list again; nullopt: no node says so.
/// A listing that says the same as before (the origin flaps) is not made over and over: nodes that failed often wait longer.
std::optional<int64_t> changed_source_due(const Draft& draft) {
    const auto& history = draft.view.dataset.status.history;
    std::optional<uint32_t> attempts;
    for (const auto& held : draft.view.held) {
        const auto& error = held->status.last_error;
        if (!error || error->reason != api::reason_of(ErrorKind::source_changed) || history.empty() || held->spec.revision != history.front().revision) continue;
        attempts = std::min(attempts.value_or(error->attempts), error->attempts);
    }
    if (!attempts) return std::nullopt;
    return draft.view.listing.ended_unix_s + (*attempts < kAttemptsOften ? kChangedFirstS : int64_t{kListingRetryMostS});
}

/// Whether the origin should be listed now, and what the Listed condition says.
void decide_listing(Draft& draft) {
    const auto& [dataset, source] = std::tie(draft.view.dataset, draft.view.source);
    const ListingOutcome& listing = draft.view.listing;
    if (!source.backend) {
        draft.condition("Listed", "False", source.reason, source.message);
        return;
    }
    const std::string key = source_key(dataset, source);
    take_listing(draft, key);
    const auto& history = draft.status().history;
    const bool have = !history.empty() && history.front().source == key;
    const bool failed = listing.ended_unix_s > 0 && listing.source == key && listing.error.has_value();
    if (failed) {
        draft.condition("Listed", "False", api::reason_of(listing.error->kind()), listing.error->line());
    } else if (have) {
        draft.condition("Listed", "True", "Listed", fmt::format("{} objects, {}", format_count(history.front().objects), format_size(history.front().bytes)));
    } else {
        draft.condition("Listed", "Unknown", "Listing", "the origin is being listed");
    }
    if (dataset.spec.paused || listing.running || dataset.metadata.deleting()) return;
    const int64_t now = draft.view.now_unix_s;
    if (failed) {
        const int64_t due = listing.ended_unix_s + retry_pause_s(draft.status(), now);
        if (now >= due || now < listing.ended_unix_s) draft.out.list = true;
        else draft.again_in(static_cast<uint64_t>(due - now));
        return;
    }
    if (!have) {
        draft.out.list = true;
        return;
    }
    if (const auto due = changed_source_due(draft)) {
        if (now >= *due || now < listing.ended_unix_s) draft.out.list = true;
        else draft.again_in(static_cast<uint64_t>(*due - now));
    }
    if (const auto interval = parse_duration_ms(dataset.spec.refresh.interval); interval && *interval > 0) {
        const int64_t last = api::parse_time(draft.status().last_listed);
        const int64_t due = last + static_cast<int64_t>(std::max<uint64_t>(1, *interval / 1000));
        if (now >= due || now < last) draft.out.list = true;  // also when the clock went back
        else draft.again_in(static_cast<uint64_t>(due - now));
    }
}

/// A pod that is not placed yet and needs the data first. Each dataset of a pod is decided alone, so all must choose the
/// same node: the one where most of them are, then by a hash. A node that has had everything for a while, and that the
/// scheduler still did not take, is full: the next one gets a replica.
void demand_for_waiting(Draft& draft, const api::Pod& pod) {
    const bool unplaced = pod.unschedulable() && !pod.has_gate(api::kGate);
    std::optional<std::pair<std::tuple<bool, int, std::string>, std::string>> best;
    for (const auto& [name, node] : draft.nodes) {
        if (!eligible(draft, *node) || !api::pod_fits(pod, *node, api::kDataLabelPrefix)) continue;
        const auto held = find_held(draft, name, draft.target);
        if (held && held->metadata.deleting()) continue;  // on its way out: it cannot be called back
        const PodHolding holding = draft.view.holding(pod, name);
        const bool full = unplaced && holding.all_ready && draft.view.now_unix_s - holding.since_unix_s >= kSettleS;
        if (full) continue;
        std::tuple rank(!draft.view.has_agent(name), -static_cast<int>(holding.held), api::node_label_value(pod.metadata.uid + name));
        if (!best || rank < best->first) best = {std::move(rank), name};
    }
    if (unplaced) draft.again_in(kSettleS);
    if (!best) return;
    draft.demand.insert(best->second);
    draft.pod_demand.insert(best->second);
}

void demand_of_replicas(Draft& draft) {
    const std::string& replicas = draft.view.dataset.spec.placement.replicas.text;
    const bool all = replicas == "All";
    uint64_t wanted = 0;
    std::from_chars(replicas.data(), replicas.data() + replicas.size(), wanted);
    if (!all && wanted == 0) return;
    std::vector<std::pair<std::tuple<int, uint64_t, std::string>, std::string>> ranked;
    for (const auto& [name, node] : draft.nodes) {
        if (!eligible(draft, *node)) continue;
        const auto held = find_held(draft, name, draft.target);
        const bool demanded = draft.demand.contains(name);
        const int rank = held && is_ready(*held) ? 0 : demanded ? 1 : held && held->status.phase != "Failed" && held->status.phase != "Evicted" ? 2 : draft.view.has_agent(name) ? 3 : 4;
        ranked.push_back({{rank, draft.view.load(name), name}, name});
    }
    std::sort(ranked.begin(), ranked.end());
    for (size_t i = 0; i < ranked.size() && (all || i < wanted); ++i) draft.demand.insert(ranked[i].second);
}

/// zcdp sync dataset/NAME --nodes SELECTOR: an annotation, there while somebody wants it so.
void demand_of_prefetch(Draft& draft) {
    const auto& annotations = draft.view.dataset.metadata.annotations;
    const auto wanted = annotations.find(api::kPrefetchAnnotation);
    if (wanted == annotations.end()) return;
    const api::StringMap labels = api::parse_labels(wanted->second);
    for (const auto& [name, node] : draft.nodes)
        if (eligible(draft, *node) && api::has_labels(node->metadata.labels, labels)) draft.demand.insert(name);
}

void decide_demand(Draft& draft) {
    std::map<std::string, std::string> policies;  // claim -> policy
    for (const auto& claim : draft.view.claims) policies[claim->metadata.name] = policy_of(*claim);
    for (const auto& pod : draft.view.pods)
        if (!pod->spec.node_name.empty() && !draft.gone(pod->spec.node_name)) draft.demand.insert(pod->spec.node_name), draft.pod_demand.insert(pod->spec.node_name);
    demand_of_replicas(draft);
    demand_of_prefetch(draft);
    for (const auto& pod : draft.view.pods) {
        if (!pod->spec.node_name.empty() || pod->metadata.deleting()) continue;
        bool waits = pod->has_gate(api::kGate);
        for (const std::string& claim : pod->claims()) {
            const auto at = policies.find(claim);
            waits = waits || (at != policies.end() && (at->second == "Require" || at->second == "WaitForData"));
        }
        if (waits) demand_for_waiting(draft, *pod);
    }
}

/// Which revision new pods see, and which one is on its way.
void decide_revisions(Draft& draft) {
    const auto& history = draft.status().history;
    const api::Dataset& dataset = draft.view.dataset;
    draft.target = history.empty() ? "" : history.front().revision;
    draft.current = draft.before().revision;
    if (!dataset.spec.snapshot.empty()) {
        const auto at = std::find_if(history.begin(), history.end(), [&](const auto& version) { return version.snapshot == dataset.spec.snapshot; });
        draft.target = at != history.end() ? at->revision : draft.current;
        if (at == history.end())
            draft.condition("Degraded", "True", "SnapshotUnknown", "spec.snapshot names a snapshot that is not in status.history");
        else draft.current = draft.target;
    }
    const bool known = std::any_of(history.begin(), history.end(), [&](const auto& version) { return version.revision == draft.current; });
    if (!known) draft.current = draft.target;
}

/// The new revision takes over once it is everywhere it is wanted, or when the old one is nowhere.
void switch_revision(Draft& draft) {
    if (draft.current == draft.target) return;
    const bool old_somewhere = std::any_of(draft.view.held.begin(), draft.view.held.end(),
                                           [&](const auto& held) { return held->spec.revision == draft.current && is_ready(*held) && !draft.gone(held->spec.node); });
    const bool new_everywhere = std::all_of(draft.demand.begin(), draft.demand.end(), [&](const auto& node) {
        return ready_on(draft, node, draft.target) || !draft.node(node) || !draft.node(node)->ready();
    });
    if (!old_somewhere || new_everywhere) draft.current = draft.target;
}

api::NodeDataset order(const Draft& draft, const std::string& node, const std::string& revision) {
    const api::Dataset& dataset = draft.view.dataset;
    api::NodeDataset out;
    out.metadata.name = api::node_dataset_name(node, dataset.metadata.uid, revision);
    out.metadata.labels = {{api::kNodeLabel, api::node_label_value(node)}, {"app.kubernetes.io/part-of", "zcdp"}};
    out.metadata.finalizers = {api::kNodeDataFinalizer};
    if (const api::Node* owner = draft.node(node)) out.metadata.owner_references = {{"v1", "Node", node, owner->metadata.uid, false, false}};
    out.spec.node = node;
    out.spec.dataset = {dataset.metadata.namespace_, dataset.metadata.name, dataset.metadata.uid};
    out.spec.revision = revision;
    out.spec.wanted = "Ensure";
    out.spec.pinned = dataset.spec.retention.pinned;
    out.spec.source = {draft.view.source.backend ? draft.view.source.backend->metadata.name : "", draft.view.source.prefix,
                       dataset.spec.source.include, dataset.spec.source.exclude, 0, 0};
    for (const auto& version : draft.out.status.history)
        if (version.revision == revision) out.spec.source.objects = version.objects, out.spec.source.bytes = version.bytes;
    return out;
}

/// All nodes together write their progress at most 50 times in a second, each at most every 5 s.
uint32_t progress_seconds(const Draft& draft) {
    size_t active = draft.out.create.size();
    for (const auto& held : draft.view.held) active += held->spec.wanted == "Ensure" && held->status.phase != "Ready";
    return static_cast<uint32_t>(std::clamp<size_t>(active / 50, 5, 600));
}

bool is_used(const api::NodeDataset& held) { return !held.status.pods.empty(); }

/// Why an object that nobody demands should go; "" keeps it until space is needed.
bool should_go(Draft& draft, const api::NodeDataset& held, const std::set<std::string>& kept) {
    const api::Dataset& dataset = draft.view.dataset;
    if (!kept.contains(held.spec.revision)) return true;
    const api::Node* node = draft.node(held.spec.node);
    if (node && !api::has_labels(node->metadata.labels, dataset.spec.placement.node_selector)) return true;
    const auto ttl = parse_duration_ms(dataset.spec.retention.ttl);
    if (!ttl || *ttl == 0 || dataset.spec.retention.pinned || is_used(held) || held.status.phase != "Ready") return false;
    const int64_t due = api::parse_time(held.status.last_use) + static_cast<int64_t>(*ttl / 1000);
    if (draft.view.now_unix_s >= due) return true;
    draft.again_in(static_cast<uint64_t>(due - draft.view.now_unix_s));
    return false;
}

std::set<std::string> kept_revisions(const Draft& draft) {
    std::set<std::string> kept{draft.current, draft.target};
    const uint32_t most = draft.view.dataset.spec.retention.keep_snapshots.value_or(1);
    uint32_t count = 0;
    for (const auto& version : draft.out.status.history)
        if (!kept.contains(version.revision) && !version.snapshot.empty() && count < most) kept.insert(version.revision), ++count;
    return kept;
}

/// One object that is there: leave it, call it back, let it go, take it away.
void judge(Draft& draft, const std::shared_ptr<const api::NodeDataset>& held, const std::set<std::string>& kept) {
    if (draft.gone(held->spec.node)) {
        if (!held->metadata.deleting()) draft.out.remove.push_back(held);
        if (held->metadata.has_finalizer(api::kNodeDataFinalizer)) draft.out.release.push_back(held);
        return;
    }
    if (const api::Node* node = draft.node(held->spec.node); node && !node->ready()) draft.again_in(kGoneAfterS);
    if (held->metadata.deleting()) return;
    const bool needed = draft.demand.contains(held->spec.node) && (held->spec.revision == draft.current || held->spec.revision == draft.target);
    if (held->status.phase == "Evicted") {
        // A pod cannot wait; a replica that lost its place to others tries again later.
        const int64_t since = draft.view.now_unix_s - api::parse_time(held->metadata.creation_timestamp);
        const bool at_once = !needed || held->spec.wanted == "Evict" || draft.pod_demand.contains(held->spec.node) || since >= kEvictedPauseS;
        if (at_once) draft.out.remove.push_back(held);
        else draft.again_in(static_cast<uint64_t>(kEvictedPauseS - since));
        return;
    }
    const bool go = !needed && should_go(draft, *held, kept);
    if (go && held->spec.wanted != "Evict") draft.out.evict.push_back(held);
    if (!go && held->spec.wanted == "Evict" && needed) draft.out.ensure.push_back(held);
}

void decide_orders(Draft& draft) {
    const std::set<std::string> kept = kept_revisions(draft);
    for (const auto& held : draft.view.held) judge(draft, held, kept);
    if (draft.view.dataset.spec.paused || !draft.view.source.backend) return;
    std::set<std::string> revisions{draft.target};
    if (!draft.current.empty()) revisions.insert(draft.current);
    for (const std::string& node : draft.demand) {
        if (!draft.node(node)) continue;
        for (const std::string& revision : revisions) {
            // The old one is only fetched anew where a pod needs it before the new one is there.
            const bool old = revision != draft.target;
            if (revision.empty() || find_held(draft, node, revision) || (old && !draft.pod_demand.contains(node))) continue;
            draft.out.create.push_back(order(draft, node, revision));
        }
    }
    const uint32_t every_s = progress_seconds(draft);
    for (auto& object : draft.out.create) object.spec.progress_seconds = every_s;
}

/// The snapshot of each revision; two of one revision are an error that names the nodes.
void match_snapshots(Draft& draft) {
    for (auto& version : draft.status().history) {
        std::map<std::string, std::string> found;  // snapshot -> node
        for (const auto& held : draft.view.held)
            if (held->spec.revision == version.revision && !held->status.snapshot.empty()) found.emplace(held->status.snapshot, held->spec.node);
        if (found.empty()) continue;
        if (version.snapshot.empty() || !found.contains(version.snapshot)) version.snapshot = found.begin()->first;
        if (found.size() > 1)
            draft.condition("Degraded", "True", "SnapshotMismatch", fmt::format("nodes {} and {} have different snapshots of one revision: the origin gave them different bytes under the same tags",
                                                                                found.begin()->second, std::next(found.begin())->second));
    }
}

void count_nodes(Draft& draft) {
    api::DatasetStatus& status = draft.status();
    status.nodes_wanted = static_cast<uint32_t>(draft.demand.size());
    status.nodes_ready = 0, status.origin_bytes = status.peer_bytes = status.reused_bytes = 0;
    status.progress.clear();
    uint64_t done = 0, total = 0;
    for (const auto& held : draft.view.held) {
        status.origin_bytes += held->status.origin_bytes, status.peer_bytes += held->status.peer_bytes, status.reused_bytes += held->status.reused_bytes;
        if (draft.gone(held->spec.node)) continue;
        if (held->spec.revision == draft.current && is_ready(*held)) ++status.nodes_ready;
        if (held->status.phase == "Syncing") done += held->status.bytes_done, total += held->status.bytes_total;
    }
    if (total > 0) status.progress = fmt::format("{}%", done * 100 / total);
    // Cached beyond what is demanded counts as wanted, so that ready never exceeds it.
    status.nodes_wanted = std::max(status.nodes_wanted, status.nodes_ready);
    status.ready = fmt::format("{}/{}", status.nodes_ready, status.nodes_wanted);
}

void describe(Draft& draft) {
    api::DatasetStatus& status = draft.status();
    const api::Dataset& dataset = draft.view.dataset;
    status.observed_generation = dataset.metadata.generation;
    status.revision = draft.current;
    for (const auto& version : status.history)
        if (version.revision == draft.current) {
            status.snapshot = version.snapshot;
            status.objects = version.objects, status.bytes = version.bytes;
            status.size = format_size(version.bytes);
        }
    count_nodes(draft);
    const api::NodeDataset* failed = nullptr;
    bool syncing = false;
    for (const auto& held : draft.view.held) {
        if (draft.gone(held->spec.node) || held->spec.wanted != "Ensure") continue;
        if (held->status.last_error && !failed) failed = held.get();
        syncing = syncing || held->status.phase == "Syncing" || held->status.phase == "Pending" || held->status.phase.empty();
    }
    const api::Condition* listed = api::find_condition(status.conditions, "Listed");
    const bool listing_failed = listed && listed->status == "False";
    if (dataset.metadata.deleting()) {
        status.phase = "Evicting";
        draft.condition("Ready", "False", "Deleting", draft.view.pods.empty() ? "its data is being removed from the nodes"
                                                                              : fmt::format("pod {} still uses it", draft.view.pods.front()->metadata.key()));
    } else if (draft.current.empty()) {
        status.phase = listing_failed ? "Failed" : "Pending";
        draft.condition("Ready", "False", listing_failed ? listed->reason : "Listing", listing_failed ? listed->message : "the origin is being listed");
    } else if (status.nodes_ready > 0 && status.nodes_ready >= status.nodes_wanted) {
        status.phase = "Ready";
        draft.condition("Ready", "True", "Ready", fmt::format("on {} node{}", status.nodes_ready, status.nodes_ready == 1 ? "" : "s"));
    } else if (failed) {
        status.phase = syncing ? "Syncing" : "Failed";
        draft.condition("Ready", "False", failed->status.last_error->reason, fmt::format("node {}: {}", failed->spec.node, failed->status.last_error->message));
    } else if (status.nodes_wanted == 0) {
        status.phase = "Pending";
        draft.condition("Ready", "False", dataset.spec.paused ? "Paused" : "NoDemand", "no pod uses it and no replicas are asked for: it is fetched when one does");
    } else {
        status.phase = "Syncing";
        draft.condition("Ready", "False", "Syncing", fmt::format("{} of {} nodes have it", status.nodes_ready, status.nodes_wanted));
    }
    const api::Condition* degraded = api::find_condition(status.conditions, "Degraded");
    const bool fresh = degraded && degraded->status == "True" && (degraded->reason == "SnapshotMismatch" || degraded->reason == "SnapshotUnknown");
    if (fresh) return;
    if (failed) draft.condition("Degraded", "True", failed->status.last_error->reason, fmt::format("node {}: {}", failed->spec.node, failed->status.last_error->message));
    else if (listing_failed && !draft.current.empty()) draft.condition("Degraded", "True", listed->reason, "the present revision is kept: " + listed->message);
    else draft.condition("Degraded", "False", "Fine", "");
}

void clear_reported(Draft& draft) {
    // These two are found anew each time.
    for (api::Condition& condition : draft.status().conditions)
        if (condition.type == "Degraded" && (condition.reason == "SnapshotMismatch" || condition.reason == "SnapshotUnknown")) condition.reason = "Looking";
}

/// Deleting: nobody may use it any more, then every node lets go, then the object may go.
void decide_deletion(Draft& draft) {
    const bool unused = draft.view.pods.empty();
    for (const auto& held : draft.view.held) {
        const bool gone = draft.gone(held->spec.node);
        if (!held->metadata.deleting() && (unused || gone)) draft.out.remove.push_back(held);
        if (gone && held->metadata.has_finalizer(api::kNodeDataFinalizer)) draft.out.release.push_back(held);
    }
    draft.out.remove_finalizer = unused && draft.view.held.empty();
    draft.current = draft.before().revision;
    describe(draft);
}

}  // namespace

bool node_is_gone(const api::Node* node, int64_t now_unix_s) {
    if (!node) return true;
    if (node->ready()) return false;
    const api::Condition* ready = api::find_condition(node->status.conditions, "Ready");
    return ready && now_unix_s - api::parse_time(ready->last_transition_time) >= kGoneAfterS;
}

ResolvedSource resolve_source(const api::Dataset& dataset, const Objects<api::StorageBackend>& backends) {
    const api::DatasetSource& source = dataset.spec.source;
    const std::string& ns = dataset.metadata.namespace_;
    const auto allowed = [&](const api::StorageBackend& backend) {
        const auto& names = backend.spec.allowed_namespaces;
        return std::any_of(names.begin(), names.end(), [&](const std::string& name) { return name == "*" || name == ns; });
    };
    ResolvedSource out;
    if (!source.backend.empty()) {
        out.prefix = api::source_prefix(source);
        for (const auto& backend : backends) {
            if (backend->metadata.name != source.backend) continue;
            if (allowed(*backend)) out.backend = backend;
            else out.reason = "NamespaceNotAllowed", out.message = fmt::format("StorageBackend {} does not allow namespace {}: add it to spec.allowedNamespaces", source.backend, ns);
            return out;
        }
        out.reason = "BackendNotFound", out.message = fmt::format("there is no StorageBackend {}", source.backend);
        return out;
    }
    const std::string rest = source.uri.starts_with("s3://") ? source.uri.substr(5) : "";
    const size_t slash = std::min(rest.find('/'), rest.size());
    api::DatasetSource below = source;
    below.prefix = rest.substr(std::min(slash + 1, rest.size()));
    out.prefix = api::source_prefix(below);
    for (const auto& backend : backends)
        if (backend->spec.type == "s3" && backend->spec.bucket == rest.substr(0, slash) && allowed(*backend)) out.backend = backend;
    if (!out.backend) out.reason = "BackendNotFound", out.message = fmt::format("no StorageBackend that allows namespace {} has the bucket of {}", ns, printable(source.uri));
    return out;
}

std::string source_key(const api::Dataset& dataset, const ResolvedSource& source) {
    std::string key = source.backend ? source.backend->metadata.name + "/" + source.prefix : "";
    for (const auto& glob : dataset.spec.source.include) key += "\n+" + glob;
    for (const auto& glob : dataset.spec.source.exclude) key += "\n-" + glob;
    return key;
}

DatasetDecision decide_dataset(const DatasetView& view) {
    Draft draft{view, {}, {}, {}, {}, {}, {}};
    draft.out.status = view.dataset.status;
    for (const auto& node : view.nodes) draft.nodes[node->metadata.name] = node;
    clear_reported(draft);
    if (view.dataset.metadata.deleting()) {
        decide_deletion(draft);
        return std::move(draft.out);
    }
    draft.out.add_finalizer = !view.dataset.metadata.has_finalizer(api::kInUseFinalizer);
    decide_listing(draft);
    decide_revisions(draft);
    match_snapshots(draft);
    decide_demand(draft);
    switch_revision(draft);
    decide_orders(draft);
    describe(draft);
    return std::move(draft.out);
}

}  // namespace zcdp::services
