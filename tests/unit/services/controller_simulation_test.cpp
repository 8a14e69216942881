// The production reconcile code against a simulated cluster: an API server with conflicts, lost answers, lagging,
// repeated and restarted watches; two controllers that share a lease and restart; nodes that die, return and join; pods
// that come and go; an origin that changes. Invariants hold at every step; once the chaos ends, everybody gets what
// they can have.
//
// Each history has its seed: `ZCDP_SIMULATIONS=100000` runs more, `ZCDP_SEED=N` one of them, aloud.
#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cstdlib>
#include <memory>
#include <set>
#include <tuple>

#include "src/services/agent/node_state.hpp"
#include "src/services/controller/reconcile/reconcile.hpp"
#include "src/services/controller/webhook/mutate_pod.hpp"
#include "tests/support/doctest.hpp"
#include "tests/support/sim_api.hpp"
#include "zcdp/base/digest.hpp"

#include "zcdp/base/random.hpp"
#include "zcdp/kube/lease.hpp"

namespace zcdp::test {
namespace {

using namespace zcdp::services;
using namespace zcdp::services::agent;
using namespace zcdp::services::controller;
namespace res = kube::resources;

constexpr int kChaosSteps = 250, kCalmSteps = 600, kQuietSteps = 60;
constexpr int64_t kKubeletLagNs = 1'900'000'000;    // until a kubelet knows its node's labels
constexpr int64_t kSchedulerLagNs = 1'000'000'000;  // what the scheduler takes at most before a pod counts as stuck

/// What the origin has now, by dataset name; each version of one is a folder, and kMissing is none.
constexpr const char* kMissing = "v22";
struct SimOrigin {
    std::map<std::string, int> generation;
    std::map<Revision, std::set<std::string>> folders;  ///< revision -> prefixes where it was listed
    bool reachable = true;
    Revision revision(const std::string& dataset, const std::string& prefix) {
        const Revision revision(to_hex(Sha256::of("revision" + prefix + std::to_string(generation[dataset]))));
        folders[revision].insert(prefix);
        return revision;
    }
    static std::string snapshot(const Revision& revision) { return to_hex(Sha256::of("snapshot" + revision.str())); }
};

class SimLister final : public Lister {
  public:
    SimLister(SimOrigin& origin, Clock& clock, kube::WorkQueue& queue)
        : origin_(origin), clock_(clock), queue_(queue) {}
    void start(const api::Dataset& dataset, const ResolvedSource& source) override {
        Job& job = jobs_[dataset.metadata.uid];
        if (job.outcome.running) return;
        job = {dataset.metadata.key(), dataset.metadata.name, source.prefix, source_key(source), {}};
        job.outcome.running = true;
    }
    ListingOutcome outcome(const std::string& uid) const override {
        const auto at = jobs_.find(uid);
        return at == jobs_.end() ? ListingOutcome() : at->second.outcome;
    }
    void forget(const std::string& uid) override { jobs_.erase(uid); }
    void forget_outcomes() override {
        for (auto& [uid, job] : jobs_)
            if (!job.outcome.running) job.outcome = {};
    }
    Result<std::shared_ptr<Fd>> listing(const api::Dataset&, const ResolvedSource&, const Revision&) override {
        return Error(ErrorKind::not_found, "simulated");
    }
    void step() {
        for (auto& [uid, job] : jobs_) {
            if (!job.outcome.running) continue;
            job.outcome = {};
            job.outcome.source = job.source;
            job.outcome.ended_unix_s = clock_.unix_s();
            if (job.prefix.ends_with(std::string(kMissing) + "/"))
                job.outcome.error = Error(ErrorKind::not_found, "simulated", job.prefix);
            else if (origin_.reachable)
                job.outcome.revision = origin_.revision(job.name, job.prefix), job.outcome.objects = 3,
                job.outcome.bytes = 1000;
            else job.outcome.error = Error(ErrorKind::unreachable, "simulated");
            queue_.add("dataset/" + job.key);
        }
    }

  private:
    struct Job {
        std::string key, name, prefix, source;
        ListingOutcome outcome;
    };
    SimOrigin& origin_;
    Clock& clock_;
    kube::WorkQueue& queue_;
    std::map<std::string, Job> jobs_;
};

/// A node: whether it lives, what its store has, what its pods have mounted.
struct SimNode {
    std::string name;
    bool alive = true, exists = true;
    std::map<std::string, TransferView> transfers;  // NodeDataset name
    std::map<std::string, std::string> mounted;     // pod uid -> NodeDataset name
    int64_t dead_until_ns = -1'000'000'000'000;     // monotonic: when it came back last
    std::map<std::string, int64_t> labelled_ns;     // since when it carries its labels
    std::set<std::string> admitted;                 // pod uids that its kubelet took
};

/// A controller replica: own caches, own queue, own luck; `restart` forgets all of it.
struct SimController {
    SimController(SimServer& server, SimOrigin& origin, ManualClock& clock, Random& random, Metrics& metrics,
                  Logger& log, std::string identity)
        : api(server, random),
          queue(clock, random),
          lister(origin, clock, queue),
          events(api, "sim", "sim", clock, random, log),
          lease(api, {"zcdp-system", "zcdp-controller", identity, 15, 10'000, 2'000}, clock, log),
          name(std::move(identity)),
          reconciler({api, world, lister, events, clock, metrics, log, [this] { return lease.is_leader(); }, [] {}}) {
        Reconciler::route(world, queue);
        watches.emplace_back(server, "storagebackends", world.backends),
            watches.emplace_back(server, "datasets", world.datasets);
        watches.emplace_back(server, "datasetclaims", world.claims), watches.emplace_back(server, "nodes", world.nodes);
        watches.emplace_back(server, "nodedatasets", world.node_datasets),
            watches.emplace_back(server, "csinodes", world.csi_nodes);
        watches.emplace_back(server, "pods", world.pods);
        for (SimWatch& watch : watches) watch.relist();
    }
    void queue_everything() {
        for (const auto& one : world.datasets.list()) queue.add("dataset/" + one->metadata.key());
        for (const auto& one : world.claims.list()) queue.add("claim/" + one->metadata.key());
        for (const auto& one : world.nodes.list()) queue.add("node/" + one->metadata.key());
        for (const auto& one : world.pods.list())
            if (one->has_gate(api::kGate)) queue.add("pod/" + one->metadata.key());
    }
    SimApi api;
    World world;
    std::vector<SimWatch> watches;
    kube::WorkQueue queue;
    SimLister lister;
    kube::EventRecorder events;
    kube::LeaderLease lease;
    std::string name;
    Reconciler reconciler;
    bool led = false;
    int64_t lease_due_ns = 0;
};

class History {
  public:
    explicit History(uint64_t seed)
        : random_(seed),
          clock_(1'800'000'000'000'000'000),
          server_(clock_),
          log_(clock_, 2, LogLevel::off, LogFormat::text),
          kubectl_(server_, random_) {
        server_.on_gone = [this](const std::string& plural, const json::object& object) { check_gone(plural, object); };
        kubectl_
            .create(res::backends, "",
                    object(R"({"metadata":{"name":"b"},"spec":{"type":"s3","bucket":"x","allowedNamespaces":["*"]}})"),
                    "", "")
            .value();
        for (int i = 0; i < 3; ++i) add_node();
        for (int i = 0; i < 2; ++i) start_controller(i);
    }

    void run() {
        for (int i = 0; i < kChaosSteps; ++i) {
            chaos();
            step(0.05);
        }
        calm();
    }
    const std::vector<std::string>& broken() const { return broken_; }

  private:
    static json::object object(const std::string& text) { return json::parse(text).as_object(); }
    void breach(std::string what) { broken_.push_back(std::move(what)); }
    size_t pick(size_t count) { return static_cast<size_t>(random_.below(count)); }

    json::object new_node(const std::string& name, size_t room) {
        return object(
            R"({"metadata":{"name":")" + name + R"(","labels":{"host":")" + name +
            R"("}},"spec":{},"status":{"conditions":[{"type":"Ready","status":"True"}],"allocatable":{"pods":")" +
            std::to_string(room) + R"("}}})");
    }
    void add_node() { add_node(2 + pick(12)); }
    void add_node(size_t room) {
        const std::string name = "n" + std::to_string(next_node_++);
        nodes_.push_back({name, true, true, {}, {}, {}, {}, {}});
        nodes_.back().dead_until_ns = -1'000'000'000'000;
        kubectl_.create(res::nodes, "", new_node(name, room), "", "").value();
    }
    void set_ready(SimNode& node, bool ready) {
        if (ready && !node.alive) node.dead_until_ns = clock_.monotonic_ns();
        node.alive = ready;
        if (json::object* found = server_.find("nodes", node.name)) {
            json::object next = *found;
            next["status"].as_object()["conditions"] =
                json::parse(std::string(R"([{"type":"Ready","status":")") + (ready ? "True" : "Unknown") +
                            R"(","lastTransitionTime":")" + iso8601(clock_.unix_s()) + "\"}]");
            server_.put("nodes", std::move(next));
        }
    }
    void cordon(const SimNode& node, bool cordoned) {
        const json::object* found = server_.find("nodes", node.name);
        if (!found) return;
        json::object next = *found;
        next["spec"].as_object()["unschedulable"] = cordoned;
        server_.put("nodes", std::move(next));
    }
    void start_controller(int index) {
        const std::string identity = "c" + std::to_string(index) + "-" + std::to_string(++restarts_);
        if (controllers_.size() <= static_cast<size_t>(index)) controllers_.resize(static_cast<size_t>(index) + 1);
        controllers_[static_cast<size_t>(index)] =
            std::make_unique<SimController>(server_, origin_, clock_, random_, metrics_, log_, identity);
        SimController* controller = controllers_[static_cast<size_t>(index)].get();
        controller->api.on_write = [this, controller](const std::string& plural) {
            if (plural != "leases") check_writer(*controller);
        };
    }

    // --- invariants ---
    /// Only whoever's name is in the lease writes, or nobody else could have taken it yet.
    void check_writer(const SimController& controller) {
        const json::object* lease = server_.find("leases", "zcdp-system/zcdp-controller");
        const std::string holder = lease ? std::string(lease->at("spec").at("holderIdentity").as_string()) : "";
        if (holder != controller.name) breach(controller.name + " wrote while " + holder + " holds the lease");
    }
    /// What a living node's pod has mounted never goes. A node that was away may have been given up: it is told anew.
    void check_gone(const std::string& plural, const json::object& gone) {
        if (plural != "nodedatasets") return;
        const std::string name(gone.at("metadata").at("name").as_string()),
            node(gone.at("spec").at("node").as_string());
        for (const SimNode& one : nodes_)
            if (one.name == node && one.alive && one.exists &&
                clock_.monotonic_ns() - one.dead_until_ns > 120'000'000'000)
                for (const auto& [pod, mounted] : one.mounted)
                    if (mounted == name) breach("mounted " + name + " went away from " + node);
    }

    // --- what happens in a cluster ---
    void chaos() {
        switch (pick(24)) {
            case 0:
                if (datasets_ < 4) add_dataset();
                break;
            case 1:
            case 2:
            case 3: add_pod(); break;
            case 4:
            case 5: delete_pod(); break;
            case 6: set_ready(nodes_[pick(nodes_.size())], false); break;
            case 7:
            case 8: revive(); break;
            case 9:
                if (nodes_.size() < 6) add_node();
                break;
            case 10: delete_node(); break;
            case 11: start_controller(static_cast<int>(pick(2))); break;
            case 12:
                if (datasets_ > 0) ++origin_.generation["d" + std::to_string(pick(static_cast<size_t>(datasets_)))];
                break;
            case 13: origin_.reachable = !origin_.reachable; break;
            case 14:
                if (datasets_ > 0 && pick(4) == 0)
                    server_.remove("datasets", "ns/d" + std::to_string(pick(static_cast<size_t>(datasets_))));
                break;
            case 15: relist(); break;
            case 16: clock_.advance_ns(static_cast<int64_t>(pick(20)) * 1'000'000'000); break;
            case 17: clock_.jump_ns((static_cast<int64_t>(pick(7'200)) - 3'600) * 1'000'000'000); break;
            case 18: lose_data(); break;
            case 19:
            case 20: edit_dataset(); break;
            case 21: cordon(nodes_[pick(nodes_.size())], pick(2) == 0); break;
            default: break;
        }
    }
    void add_dataset() {
        const std::string name = "d" + std::to_string(datasets_++);
        static const char* replicas[] = {"\"OnDemand\"", "1", "2", "\"All\""};
        static const char* policies[] = {"Prefer", "Require", "WaitForData"};
        (void)kubectl_
            .create(
                res::datasets, "ns",
                object(R"({"metadata":{"name":")" + name +
                       R"(","namespace":"ns"},"spec":{"source":{"backend":"b","prefix":")" + name +
                       R"("},"placement":{"replicas":)" + replicas[pick(4)] +
                       R"(},"refresh":{"interval":"30s"},"retention":{"ttl":")" + (pick(2) ? "40s" : "1h") + R"("}}})"),
                "", "")
            .has_value();
        (void)kubectl_
            .create(res::claims, "ns",
                    object(R"({"metadata":{"name":")" + name + R"(","namespace":"ns"},"spec":{"dataset":")" + name +
                           R"(","mountPath":"/)" + name + R"(","policy":")" + policies[pick(3)] +
                           R"(","podSelector":{"matchLabels":{")" + name + R"(":"yes"}}}})"),
                    "", "")
            .has_value();
    }
    /// To a version that is there, to one that is not, or back to some snapshot of the history.
    void edit_dataset() {
        const auto keys = keys_of("datasets");
        if (keys.empty()) return;
        json::object next = *server_.find("datasets", keys[pick(keys.size())]);
        json::object& spec = next.at("spec").as_object();
        static const char* versions[] = {"v1", "v2", kMissing};
        spec["snapshot"] = "";
        const auto parsed = api::from_json<api::Dataset>(next).value();
        if (pick(3) == 0 && !parsed.status.history.empty())
            spec["snapshot"] = parsed.status.history[pick(parsed.status.history.size())].snapshot;
        else spec["source"].as_object()["version"] = versions[pick(3)];
        server_.put("datasets", std::move(next));
    }
    /// Through the webhook's own code, as the API server would.
    void add_pod() {
        if (datasets_ == 0) return;
        json::object pod = object(
            R"({"metadata":{"name":"p)" + std::to_string(next_pod_++) +
            R"(","namespace":"ns","labels":{}},"spec":{"containers":[{"name":"c"}]},"status":{"phase":"Pending"}})");
        for (int i = 0; i < datasets_; ++i)
            if (pick(2)) pod["metadata"].as_object()["labels"].as_object()["d" + std::to_string(i)] = "yes";
        Objects<api::DatasetClaim> claims;
        std::vector<PodClaimInput> inputs;
        for (const auto& [key, raw] : server_.objects["datasetclaims"])
            claims.push_back(std::make_shared<const api::DatasetClaim>(api::from_json<api::DatasetClaim>(raw).value()));
        for (const auto& claim : claims_for(pod, claims)) {
            const json::object* raw = server_.find("datasets", "ns/" + claim->spec.dataset);
            inputs.push_back(
                {claim,
                 raw ? std::make_shared<const api::Dataset>(api::from_json<api::Dataset>(*raw).value()) : nullptr});
        }
        if (!mutate_pod(pod, inputs)) breach("the webhook refused a good pod");
        json::object again = pod;
        if (!mutate_pod(again, inputs) || again != pod) breach("the webhook is not idempotent");
        (void)kubectl_.create(res::pods, "ns", pod, "", "").has_value();
    }
    void delete_pod() {
        auto& pods = server_.objects["pods"];
        if (pods.empty()) return;
        server_.remove("pods", std::next(pods.begin(), static_cast<long>(pick(pods.size())))->first);
    }
    void revive() {
        for (SimNode& node : nodes_)
            if (node.exists && !node.alive) return set_ready(node, true);
    }
    void delete_node() {
        SimNode& node = nodes_[pick(nodes_.size())];
        if (node.alive || !node.exists || pick(2)) return;
        node.exists = false;
        server_.remove("nodes", node.name);
        for (auto at = server_.objects["pods"].begin(); at != server_.objects["pods"].end();) {
            const auto key = (at++)->first;
            if (pod_of(key).spec.node_name == node.name) server_.remove("pods", key);
        }
    }
    void lose_data() {
        SimNode& node = nodes_[pick(nodes_.size())];
        if (node.mounted.empty()) node.transfers.clear();  // the disk was replaced, say
    }
    void relist() {
        auto& controller = *controllers_[pick(2)];
        controller.watches[pick(controller.watches.size())].relist();
    }
    std::vector<std::string> keys_of(const char* plural) const {
        std::vector<std::string> out;
        const auto kind = server_.objects.find(plural);
        if (kind != server_.objects.end())
            for (const auto& [key, raw] : kind->second) out.push_back(key);
        return out;
    }
    /// The object as its type; read from JSON once a version, for every step looks at most objects. Valid until the
    /// next version of it is asked for.
    template <typename T>
    const T& parsed(const json::object& raw) {
        static constexpr auto version_of = [](const json::object& one) -> const json::string& {
            return one.at("metadata").at("resourceVersion").as_string();
        };
        auto& [version, object] = std::get<Parsed<T>>(parsed_)[SimServer::key_of(raw)];
        if (version != version_of(raw)) version = version_of(raw), object = api::from_json<T>(raw).value();
        return object;
    }
    const api::Pod& pod_of(const std::string& key) { return parsed<api::Pod>(*server_.find("pods", key)); }

    // --- the other parts of a cluster, as simple as they can be ---
    void schedule(const std::string& key) {
        const json::value* gates = server_.find("pods", key)->at("spec").as_object().if_contains("schedulingGates");
        if (gates && !gates->as_array().empty()) return;  // most that are on no node have some
        const api::Pod& pod = pod_of(key);
        if (!pod.spec.node_name.empty() || pod.metadata.deleting()) return;
        for (const SimNode& node : nodes_) {
            const json::object* raw = server_.find("nodes", node.name);
            if (!raw || !node.alive) continue;
            const auto& known = parsed<api::Node>(*raw);
            if (known.leaving() || !api::pod_fits(pod, known) || pods_on(node.name) >= room_of(*raw)) continue;
            json::object next = *server_.find("pods", key);
            next["spec"].as_object()["nodeName"] = node.name;
            set_scheduled(next, R"({"type":"PodScheduled","status":"True"})");
            server_.put("pods", std::move(next));
            return;
        }
        if (pod.unschedulable()) return;
        stuck_.insert(pod.metadata.uid);
        json::object next = *server_.find("pods", key);
        set_scheduled(next, R"({"type":"PodScheduled","status":"False","reason":"Unschedulable"})");
        server_.put("pods", std::move(next));
    }
    static void set_scheduled(json::object& pod, const char* condition) {
        json::value& list = pod["status"].as_object()["conditions"];
        if (!list.is_array()) list = json::array();
        json::array& conditions = list.get_array();
        conditions.erase(
            std::remove_if(conditions.begin(), conditions.end(),
                           [](const json::value& one) { return one.at("type") == json::value("PodScheduled"); }),
            conditions.end());
        conditions.push_back(object(condition));
    }
    static size_t room_of(const json::object& node) {
        return std::stoul(std::string(node.at("status").at("allocatable").at("pods").as_string()));
    }
    size_t pods_on(const std::string& node) const {
        size_t count = 0;
        const auto pods = server_.objects.find("pods");
        if (pods == server_.objects.end()) return 0;
        for (const auto& [key, raw] : pods->second) {
            const json::value* place = raw.at("spec").as_object().if_contains("nodeName");
            count += place && place->as_string() == node && raw.at("status").at("phase").as_string() != "Failed";
        }
        return count;
    }
    /// What a cluster autoscaler does: it adds a node if that helps a pod that no node takes. It knows the labels that
    /// a new node has, and ours are not among them.
    void autoscale() {
        const auto fresh = api::from_json<api::Node>(new_node("fresh", 4)).value();
        for (const std::string& key : keys_of("pods"))
            if (const api::Pod& pod = pod_of(key); pod.spec.node_name.empty() && pod.unschedulable() &&
                                                   pod.spec.scheduling_gates.empty() && api::pod_fits(pod, fresh))
                return add_node(4);
    }
    /// kubelet takes a pod, or refuses it for good, by the labels that it has heard of.
    bool admits(SimNode& node, const std::string& key, const api::Pod& pod) {
        if (pod.status.phase == api::PodPhase::failed || node.admitted.contains(pod.metadata.uid))
            return pod.status.phase != api::PodPhase::failed;
        api::Node known = parsed<api::Node>(*server_.find("nodes", node.name));
        std::erase_if(known.metadata.labels, [&](const auto& label) {
            const auto since = node.labelled_ns.find(label.first);
            return label.first.starts_with(api::kDataLabelPrefix) &&
                   (since == node.labelled_ns.end() || clock_.monotonic_ns() - since->second < kKubeletLagNs);
        });
        if (api::pod_fits(pod, known)) {
            json::object next = *server_.find("pods", key);
            next["status"].as_object()["startTime"] = iso8601(clock_.unix_s());
            server_.put("pods", std::move(next));
            return node.admitted.insert(pod.metadata.uid).second;
        }
        const int64_t on_its_way_ns = clock_.monotonic_ns() - opened_ns_[pod.metadata.uid];
        if (!stuck_.contains(pod.metadata.uid) && on_its_way_ns <= kSchedulerLagNs)
            breach(key + " was refused by kubelet: NodeAffinity" + picture(key));
        json::object next = *server_.find("pods", key);
        next["status"].as_object()["phase"] = "Failed";
        server_.put("pods", std::move(next));
        return false;
    }
    void look_at_labels() {
        if (looked_at_ == server_.writes) return;
        looked_at_ = server_.writes;
        for (SimNode& node : nodes_) {
            const json::object* raw = server_.find("nodes", node.name);
            const json::object none;
            const json::object& labels = raw ? raw->at("metadata").at("labels").as_object() : none;
            std::erase_if(node.labelled_ns, [&](const auto& entry) { return !labels.contains(entry.first); });
            for (const auto& label : labels)
                node.labelled_ns.try_emplace(std::string(label.key()), clock_.monotonic_ns());
        }
        for (const auto& [key, raw] : server_.objects["pods"]) {
            const json::value* gates = raw.at("spec").as_object().if_contains("schedulingGates");
            if (!gates || gates->as_array().empty())
                opened_ns_.try_emplace(std::string(raw.at("metadata").at("uid").as_string()), clock_.monotonic_ns());
        }
    }
    /// kubelet and the agent's volumes: a pod runs when all its datasets' present revisions are there.
    void start_pods(SimNode& node) {
        for (const std::string& key : keys_of("pods")) {
            const json::object& raw = *server_.find("pods", key);
            const json::value* place = raw.at("spec").as_object().if_contains("nodeName");
            if (!place || place->as_string() != node.name || raw.at("status").at("phase").as_string() == "Running")
                continue;
            const api::Pod pod = pod_of(key);  // a copy: admits() writes the next version
            if (pod.metadata.deleting() || !admits(node, key, pod)) continue;
            std::vector<std::string> needed;
            bool ready = true;
            for (const std::string& claim : pod.claims()) {
                const json::object* dataset_raw = server_.find("datasets", "ns/" + claim);
                const auto dataset = dataset_raw ? parsed<api::Dataset>(*dataset_raw) : api::Dataset();
                const std::string name =
                    api::node_dataset_name(node.name, dataset.metadata.uid, dataset.status.revision);
                const auto at = node.transfers.find(name);
                ready = ready && dataset_raw && at != node.transfers.end() && at->second.phase == TransferPhase::ready;
                needed.push_back(name);
            }
            if (!ready) continue;
            for (const std::string& name : needed) node.mounted[pod.metadata.uid + "/" + name] = name;
            json::object next = *server_.find("pods", key);
            next["status"].as_object()["phase"] = "Running";
            server_.put("pods", std::move(next));
        }
    }
    void stop_pods(SimNode& node) {
        std::set<std::string> living;
        for (const auto& [key, raw] : server_.objects["pods"])
            living.insert(std::string(raw.at("metadata").at("uid").as_string()));
        std::erase_if(node.mounted, [&](const auto& entry) {
            return !living.contains(entry.first.substr(0, entry.first.find('/')));
        });
    }
    /// The agent: the production decider over a store that is a map.
    void agent(SimNode& node) {
        SimApi api(server_, random_);
        for (const std::string& name : keys_of("nodedatasets")) {
            const json::object& raw = *server_.find("nodedatasets", name);
            if (raw.at("spec").at("node").as_string() != node.name) continue;
            const auto object_now = parsed<api::NodeDataset>(raw);  // a copy: it is compared with what comes of it
            const auto at = node.transfers.find(name);
            NodeDatasetView view{object_now, at == node.transfers.end() ? std::nullopt : std::optional(at->second),
                                 {},         false,
                                 false,      clock_.unix_s()};
            view.in_store = at != node.transfers.end() && at->second.phase == TransferPhase::ready;
            view.evicted_for_space = object_now.status.phase == api::Phase::ready && !view.in_store;
            for (const auto& [pod, mounted] : node.mounted)
                if (mounted == name) view.pods.push_back({"ns", "p", pod.substr(0, pod.find('/'))});
            NodeDatasetDecision decision = decide_node_dataset(view);
            if (decision.action == NodeDatasetDecision::Action::ensure) {
                TransferView& transfer = node.transfers[name];
                // Only where it was listed is it found.
                if (!origin_.folders[object_now.spec.revision].contains(object_now.spec.source.prefix))
                    breach(name + " looks for its revision in " + object_now.spec.source.prefix);
                transfer.phase = transfer.phase == TransferPhase::waiting ? TransferPhase::running
                                 : pick(3)                                ? transfer.phase
                                                                          : TransferPhase::ready;
                transfer.snapshot = SimOrigin::snapshot(object_now.spec.revision);
                transfer.finished_unix_s = clock_.unix_s();
                view.transfer = transfer;
                decision.phase = decide_node_dataset(view).phase;
            } else if (decision.action == NodeDatasetDecision::Action::forget) {
                node.transfers.erase(name);
            } else if (decision.action == NodeDatasetDecision::Action::evict && view.pods.empty()) {
                node.transfers.erase(name);
                view.transfer.reset();
                decision.phase = api::Phase::evicted;
                decision.release = object_now.metadata.deleting();
            }
            api::NodeDataset changed = object_now;
            changed.status = node_dataset_status(view, decision.phase);
            if (changed.status != object_now.status)
                (void)api.replace(res::node_datasets, api::object_json(changed), "status").has_value();
            if (decision.release)
                (void)api
                    .patch(res::node_datasets, "", name, kube::PatchKind::merge,
                           object(R"({"metadata":{"finalizers":null}})"), "")
                    .has_value();
        }
    }
    void step_controller(SimController& controller, double failures) {
        controller.api.failure_rate = failures;
        for (SimWatch& watch : controller.watches)
            if (failures == 0 || pick(3) > 0)
                watch.pump(failures == 0 ? 1'000 : pick(4) + 1, failures > 0 && pick(5) == 0);
        if (clock_.monotonic_ns() >= controller.lease_due_ns) {
            const bool leads = controller.lease.step();
            if (leads && !controller.led) controller.lister.forget_outcomes(), controller.queue_everything();
            controller.led = leads;
            if (leads) (void)controller.reconciler.retire_ownerless().has_value();
            controller.lease_due_ns = clock_.monotonic_ns() + 2'000'000'000;
        }
        controller.lister.step();
        for (int i = 0; i < 6; ++i) {
            const auto key = controller.queue.try_take();
            if (!key) break;
            ApiResult<std::optional<uint64_t>> done = std::optional<uint64_t>();
            if (controller.lease.is_leader()) done = controller.reconciler.reconcile(*key);
            controller.queue.done(*key);
            if (!done) controller.queue.add_after_failure(*key);
            else if (controller.queue.succeeded(*key); *done) controller.queue.add(*key, **done * 1000);
        }
    }
    void step(double failures) {
        clock_.advance_ns(static_cast<int64_t>(200 + pick(800)) * 1'000'000);
        for (auto& controller : controllers_)
            if (failures == 0 || pick(4) > 0) step_controller(*controller, failures), look_at_labels();
        look_at_labels();
        for (const std::string& key : keys_of("pods")) {
            const bool placed = server_.find("pods", key)->at("spec").as_object().contains("nodeName");
            if (!placed && (failures == 0 || pick(2))) schedule(key);
        }
        for (SimNode& node : nodes_) {
            if (!node.alive || !node.exists || (failures > 0 && pick(3) == 0)) continue;
            stop_pods(node);
            start_pods(node);
            agent(node);
        }
    }

    /// No more faults: in the end every pod runs that can, nothing is left of what is gone, and nobody writes any more.
    void calm() {
        origin_.reachable = true;
        for (SimNode& node : nodes_)
            if (node.exists && !node.alive) set_ready(node, true);
        for (const SimNode& node : nodes_) cordon(node, false);
        for (auto& controller : controllers_)
            for (SimWatch& watch : controller->watches) watch.relist();
        settle();
        clock_.advance_ns(700'000'000'000);  // over every pause there is
        settle();
        for (int more = 0; more < 8; ++more) {
            const size_t nodes = nodes_.size();
            autoscale();
            if (nodes == nodes_.size()) break;
            settle();
        }
        add_node(1'000);  // for pods that had been promised room which somebody else took
        settle();
        for (const auto& [key, raw] : server_.objects["pods"]) check_served(key);
        for (const auto& [name, raw] : server_.objects["nodedatasets"])
            if (!server_.find("nodes", std::string(raw.at("spec").at("node").as_string())))
                breach(name + " is of a node that is gone" + picture(""));
        for (size_t i = 0; i + 1 < nodes_.size(); ++i) cordon(nodes_[i], true);
        settle();
        for (const auto& [key, raw] : server_.objects["datasets"]) check_replicated(key);
    }
    /// Whatever else leaves, the nodes that stay hold what is to be held.
    void check_replicated(const std::string& key) {
        const auto& dataset = parsed<api::Dataset>(*server_.find("datasets", key));
        const bool wanted = dataset.spec.placement.replicas_wanted() > 0 && !dataset.status.revision.empty();
        if (!wanted || dataset.metadata.deleting()) return;
        const std::string& node = nodes_.back().name;
        const std::string name = api::node_dataset_name(node, dataset.metadata.uid, dataset.status.revision);
        const json::object* held = server_.find("nodedatasets", name);
        if (!held || parsed<api::NodeDataset>(*held).status.phase != api::Phase::ready)
            breach(key + " is not on " + node + ", which alone stays" + picture(""));
    }
    /// Until nobody has written anything but leases and listing times for a while.
    void settle() {
        for (int i = 0, quiet = 0; i < kCalmSteps && quiet < kQuietSteps; ++i) {
            const size_t before = writes_that_count();
            step(0);
            quiet = writes_that_count() == before ? quiet + 1 : 0;
        }
    }
    size_t writes_that_count() {
        size_t count = 0;
        for (const char* plural : {"pods", "nodes", "nodedatasets", "datasetclaims"})
            count += server_.log[plural].size();
        return count;
    }
    void check_served(const std::string& key) {
        const api::Pod& pod = pod_of(key);
        if (pod.status.phase == api::PodPhase::running || pod.status.phase == api::PodPhase::failed) return;
        for (const std::string& claim : pod.claims()) {
            const json::object* raw = server_.find("datasets", "ns/" + claim);
            if (!raw || raw->at("metadata").as_object().contains("deletionTimestamp"))
                return;  // its dataset is gone: it cannot be served
            const auto& dataset = parsed<api::Dataset>(*raw);
            if (dataset.status.revision.empty() && dataset.spec.source.version == kMissing)
                return;  // nor when there never was any
        }
        breach(key + " was never served" + picture(key));
    }
    /// Everything that bears on a pod, for whoever reads the failure.
    std::string picture(const std::string& key) {
        const json::object* pod = server_.find("pods", key);
        std::string out = pod ? "\n  pod " + json::serialize(*pod) : "";
        for (const char* plural : {"datasets", "nodedatasets", "nodes"})
            for (const auto& [name, raw] : server_.objects[plural])
                out += "\n  " + std::string(plural) + " " + name + " " + json::serialize(raw.at("spec")) +
                       json::serialize(raw.contains("status") ? raw.at("status") : json::value()).substr(0, 300);
        for (const SimNode& node : nodes_)
            out += "\n  " + node.name + (node.alive ? " alive" : " dead") + (node.exists ? "" : " gone");
        for (const auto& one : controllers_)
            out += "\n  " + one->name + " queue " + std::to_string(one->queue.depth()) +
                   (one->lease.is_leader() ? " leads" : "");
        return out;
    }

    template <typename T>
    using Parsed = std::map<std::string, std::pair<json::string, T>>;  // key -> version, object

    SeededRandom random_;
    ManualClock clock_;
    SimServer server_;
    std::tuple<Parsed<api::Pod>, Parsed<api::Node>, Parsed<api::Dataset>, Parsed<api::NodeDataset>> parsed_;
    Metrics metrics_;
    Logger log_;
    SimOrigin origin_;
    SimApi kubectl_;
    std::vector<SimNode> nodes_;
    std::vector<std::unique_ptr<SimController>> controllers_;
    std::vector<std::string> broken_;
    uint64_t looked_at_ = 0;                    // server_.writes of the last look at labels
    std::set<std::string> stuck_;               // uids of pods that the scheduler found no node for
    std::map<std::string, int64_t> opened_ns_;  // when pods had no gates any more, by uid
    int next_node_ = 1, next_pod_ = 1, datasets_ = 0, restarts_ = 0;
};

uint64_t number_of(const char* name, uint64_t fallback) {
    const char* text = std::getenv(name);
    return text ? std::strtoull(text, nullptr, 10) : fallback;
}

}  // namespace

TEST_CASE("whatever happens, one controller writes, mounted data stays, and in the end everybody is served") {
    const uint64_t only = number_of("ZCDP_SEED", 0), histories = number_of("ZCDP_SIMULATIONS", 2000);
    for (uint64_t seed = only ? only : 1; seed <= (only ? only : histories); ++seed) {
        History history(seed);
        history.run();
        INFO("seed ", seed);
        for (const std::string& what : history.broken()) FAIL_CHECK("seed " << seed << ": " << what);
        CHECK(history.broken().empty());
        if (!history.broken().empty()) break;
    }
}

}  // namespace zcdp::test
