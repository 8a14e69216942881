// The pure parts of controller and agent, a case a rule.
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "src/services/agent/mount_table.hpp"
#include "src/services/agent/node_state.hpp"
#include "src/services/backend/backend_access.hpp"
#include "src/services/client/peers_text.hpp"
#include "src/services/controller/decide/decide_dataset.hpp"
#include "src/services/controller/decide/decide_small.hpp"
#include "src/services/controller/upkeep/roles.hpp"
#include "src/services/controller/webhook/mutate_pod.hpp"
#include "tests/support/doctest.hpp"
#include "zcdp/net/http.hpp"

namespace zcdp::services {
namespace {

using namespace agent;
using namespace backend;
using namespace controller;

namespace json = boost::json;

json::object object(const char* text) { return json::parse(text).as_object(); }

std::shared_ptr<const api::DatasetClaim> claim(const char* text) {
    return std::make_shared<const api::DatasetClaim>(api::from_json<api::DatasetClaim>(json::parse(text)).value());
}
std::shared_ptr<const api::Dataset> dataset(const char* text) {
    return std::make_shared<const api::Dataset>(api::from_json<api::Dataset>(json::parse(text)).value());
}

const char* const kPod =
    R"({"metadata":{"name":"p","labels":{"app":"train"}},"spec":{"initContainers":[{"name":"i"}],"containers":[{"name":"c","volumeMounts":[{"name":"own","mountPath":"/own/"}]},{"name":"s"}]}})";
const char* const kClaim =
    R"({"metadata":{"name":"llama","namespace":"n"},"spec":{"dataset":"llama","mountPath":"/data/","podSelector":{"matchLabels":{"app":"train"}}}})";
const char* const kDataset = R"({"metadata":{"name":"llama","namespace":"n","uid":"u1"},"status":{"bytes":300}})";

}  // namespace

TEST_CASE("the webhook adds a read-only volume and a mount to every container, init containers too, once") {
    json::object pod = object(kPod);
    REQUIRE(mutate_pod(pod, {{claim(kClaim), dataset(kDataset)}}).has_value());
    const std::string volume = api::volume_name("llama");
    CHECK(json::serialize(pod.at("spec").at("volumes")) ==
          R"([{"name":")" + volume +
              R"(","csi":{"driver":"zcdp.io","readOnly":true,"volumeAttributes":{"claim":"llama"}}}])");
    for (const char* list : {"initContainers", "containers"})
        for (const json::value& container : pod.at("spec").at(list).as_array())
            CHECK(json::serialize(container.at("volumeMounts").as_array().back()) ==
                  R"({"name":")" + volume + R"(","mountPath":"/data","readOnly":true})");
    CHECK(pod.at("metadata").at("annotations").at("zcdp.io/claims") == "llama");
    json::object again = pod;
    REQUIRE(mutate_pod(again, {{claim(kClaim), dataset(kDataset)}}).has_value());
    CHECK(again == pod);
    CHECK(pod_patch(pod, again).empty());
    json::value patched = object(kPod);
    for (const json::value& step : pod_patch(object(kPod), pod)) CHECK(step.at("op") != json::value("remove"));
}

TEST_CASE("the webhook mounts only in the containers that the claim names, as far as the pod has them") {
    json::object pod = object(kPod);
    auto one = api::DatasetClaim(*claim(kClaim));
    one.spec.containers = {"s", "nobody"};
    REQUIRE(mutate_pod(pod, {{std::make_shared<const api::DatasetClaim>(one), nullptr}}).value().empty());
    CHECK_FALSE(pod.at("spec").at("initContainers").as_array()[0].as_object().contains("volumeMounts"));
    CHECK(pod.at("spec").at("containers").as_array()[1].at("volumeMounts").as_array().size() == 1);
    CHECK_FALSE(pod.at("metadata").at("annotations").as_object().contains("zcdp.io/passed-over"));
}

TEST_CASE("a selected pod that has none of the containers the claim names is made all the same, and says so") {
    auto one = api::DatasetClaim(*claim(kClaim));
    one.spec.containers = {"nobody", "neither"};
    one.spec.policy = api::ClaimPolicy::wait_for_data;
    json::object pod = object(kPod);
    const auto warnings = mutate_pod(pod, {{std::make_shared<const api::DatasetClaim>(one), dataset(kDataset)}});
    REQUIRE(warnings.has_value());
    REQUIRE(warnings->size() == 1);
    CHECK((*warnings)[0].find("neither,nobody") != std::string::npos);
    CHECK_FALSE(pod.at("spec").as_object().contains("schedulingGates"));
    CHECK(pod.at("spec").at("volumes").as_array().empty());
    CHECK(pod.at("metadata").at("annotations").at("zcdp.io/passed-over") == "llama");
    CHECK_FALSE(pod.at("metadata").at("annotations").as_object().contains("zcdp.io/claims"));
    CHECK(api::from_json<api::Pod>(json::value(pod))->passed_over() == std::vector<std::string>{"llama"});
    // A second claim of the same pod is not touched by that.
    const auto other =
        claim(R"({"metadata":{"name":"other","namespace":"n"},"spec":{"dataset":"other","mountPath":"/other"}})");
    json::object both = object(kPod);
    REQUIRE(mutate_pod(both, {{std::make_shared<const api::DatasetClaim>(one), dataset(kDataset)}, {other, nullptr}})
                .has_value());
    CHECK(both.at("metadata").at("annotations").at("zcdp.io/claims") == "other");
    CHECK(both.at("spec").at("volumes").as_array().size() == 1);

    const ClaimDecision decision =
        decide_claim({one,
                      dataset(kDataset),
                      {},
                      {},
                      {std::make_shared<const api::Pod>(api::from_json<api::Pod>(json::value(pod)).value())},
                      0});
    const api::Condition* bound = api::find_condition(decision.status.conditions, "Bound");
    CHECK(bound->status == api::ConditionStatus::yes);
    CHECK(bound->reason == api::Reason::pods_passed_over);
    CHECK(bound->message.ends_with(": p"));
}

TEST_CASE("a mount path that is taken is refused, naming both sides, also when it is written with a slash") {
    json::object pod = object(kPod);
    auto one = api::DatasetClaim(*claim(kClaim));
    one.spec.mount_path = "/own";
    const auto refused = mutate_pod(pod, {{std::make_shared<const api::DatasetClaim>(one), nullptr}});
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().what().find("own") != std::string::npos);
    CHECK(refused.error().what().find("llama") != std::string::npos);
}

TEST_CASE(
    "policies: Prefer weighs by bytes, Require and WaitForData gate and ask for nothing yet, Ignore does nothing of "
    "it") {
    const auto with_policy = [](const char* policy) {
        auto one = api::DatasetClaim(*claim(kClaim));
        one.spec.policy = api::Word<api::ClaimPolicy>::parse(policy);
        json::object pod = object(kPod);
        CHECK(mutate_pod(pod, {{std::make_shared<const api::DatasetClaim>(one), dataset(kDataset)}}).has_value());
        return pod.at("spec").as_object();
    };
    CHECK(json::serialize(with_policy("Prefer").at("affinity")).find("\"weight\":100") != std::string::npos);
    for (const char* policy : {"Require", "WaitForData"}) {
        CHECK(json::serialize(with_policy(policy).at("schedulingGates")) == R"([{"name":"zcdp.io/data"}])");
        CHECK_FALSE(with_policy(policy).contains("affinity"));
    }
    CHECK_FALSE(with_policy("Prefer").contains("schedulingGates"));
    CHECK_FALSE(with_policy("Ignore").contains("affinity"));
}

TEST_CASE("two claims share the weight by their bytes") {
    const auto second =
        claim(R"({"metadata":{"name":"small","namespace":"n"},"spec":{"dataset":"small","mountPath":"/small"}})");
    json::object pod = object(kPod);
    REQUIRE(mutate_pod(pod, {{claim(kClaim), dataset(kDataset)},
                             {second, dataset(R"({"metadata":{"name":"small","uid":"u2"},"status":{"bytes":100}})")}})
                .has_value());
    const std::string affinity = json::serialize(pod.at("spec").at("affinity"));
    CHECK(affinity.find("\"weight\":75") != std::string::npos);
    CHECK(affinity.find("\"weight\":25") != std::string::npos);
    CHECK(pod.at("metadata").at("annotations").at("zcdp.io/claims") == "llama,small");
}

TEST_CASE("opening the gate takes ours only, and asks for the labels in every required term") {
    const json::object pod = object(
        R"({"metadata":{"resourceVersion":"9"},"spec":{"schedulingGates":[{"name":"other"},{"name":"zcdp.io/data"}],
        "affinity":{"podAffinity":{"x":1},"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"a","operator":"Exists"}]},{}]}}}}})");
    const std::string patch = json::serialize(open_gate_patch(pod, {"d.zcdp.io/x"}));
    CHECK(patch.find(R"({"op":"test","path":"/metadata/resourceVersion","value":"9"})") != std::string::npos);
    CHECK(patch.find(R"({"op":"remove","path":"/spec/schedulingGates/1"})") != std::string::npos);
    CHECK(patch.find("podAffinity") != std::string::npos);
    size_t count = 0;
    for (size_t at = 0; (at = patch.find("d.zcdp.io/x", at)) != std::string::npos; ++at) ++count;
    CHECK(count == 2);
    CHECK(open_gate_patch(object(R"({"metadata":{"resourceVersion":"9"},"spec":{}})"), {}).empty());
}

TEST_CASE("a gate that opens though no node could take the pod wishes for the label and asks for nothing") {
    const std::string patch = json::serialize(open_gate_patch(
        object(R"({"metadata":{"resourceVersion":"9"},"spec":{"schedulingGates":[{"name":"zcdp.io/data"}]}})"), {},
        {"d.zcdp.io/x"}));
    CHECK(patch.find("preferred") != std::string::npos);
    CHECK(patch.find("d.zcdp.io/x") != std::string::npos);
    CHECK(patch.find("required") == std::string::npos);
}

TEST_CASE("a node's labels follow its data, foreign ones stay, the startup taint goes with the driver's registration") {
    api::Node node;
    node.metadata.labels = {{"d.zcdp.io/old", "ready"}, {"d.zcdp.io/keep", "ready"}, {"zone", "a"}};
    node.spec.taints = {{"zcdp.io/agent-not-ready", "", "NoExecute"}, {"other", "", "NoSchedule"}};
    CHECK(json::serialize(*node_patch(node, {{"d.zcdp.io/keep", "ready"}, {"d.zcdp.io/new", "ready"}}, false)) ==
          R"({"metadata":{"labels":{"d.zcdp.io/new":"ready","d.zcdp.io/old":null}}})");
    const auto registered = node_patch(node, {{"d.zcdp.io/keep", "ready"}, {"d.zcdp.io/old", "ready"}}, true);
    CHECK(json::serialize(registered->at("spec").at("taints")) == R"([{"key":"other","effect":"NoSchedule"}])");
    node.spec.taints.clear();
    CHECK_FALSE(node_patch(node, {{"d.zcdp.io/keep", "ready"}, {"d.zcdp.io/old", "ready"}}, true).has_value());
}

TEST_CASE("the agents' Role names exactly the backends' Secrets, never the CA's key, and no rule without names") {
    CHECK(json::serialize(agent_rules({})).find("secrets") == std::string::npos);
    api::StorageBackend one, evil;
    one.spec.secret_ref.name = "s", one.spec.ca_bundle_ref.name = "m";
    evil.spec.secret_ref.name = "zcdp-controller-ca";
    const std::string rules = json::serialize(agent_rules(
        {std::make_shared<const api::StorageBackend>(one), std::make_shared<const api::StorageBackend>(evil)}));
    CHECK(rules.find(R"("resourceNames":["s"])") != std::string::npos);
    CHECK(rules.find(R"("resourceNames":["m","zcdp-ca"])") != std::string::npos);
    CHECK(rules.find("zcdp-controller-ca") == std::string::npos);
}

TEST_CASE(
    "a backend's endpoint never reaches the node itself or a metadata service, and the cluster only if it says so") {
    api::StorageBackend backend;
    backend.spec.type = "s3", backend.spec.bucket = "b";
    const auto allows = [&](const char* address) {
        const auto access = plain_access(backend, "p/", {"zcdp-system", {"10.96.0.0/12"}}).value();
        return net::AddressRules::parse(access.options.denied_addresses).value().allows(address);
    };
    for (const char* address : {"169.254.169.254", "127.0.0.1", "::1", "::ffff:127.0.0.1", "fe80::1", "0.0.0.0",
                                "fd00:ec2::254", "10.96.0.1"}) {
        INFO(address);
        CHECK_FALSE(allows(address));
    }
    CHECK(allows("52.95.110.1"));
    backend.spec.allow_cluster_endpoint = true;
    CHECK(allows("10.96.0.1"));
    CHECK_FALSE(allows("169.254.169.254"));
    backend.spec.type = "tape";
    CHECK(plain_access(backend, "", {}).error().what() == "type tape is not known");
    CHECK_FALSE(namespace_allowed({}, "a"));
}

TEST_CASE("mountinfo: our mounts by their root, escapes undone, foreign ones left alone") {
    const std::string id(64, 'a');
    const std::string table =
        "35 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda rw\n"
        "90 35 8:1 /var/lib/zcdp/snapshots/" +
        id +
        "/tree /var/lib/kubelet/pods/u-1/volumes/kubernetes.io~csi/d/mount ro,nosuid,nodev shared:9 - ext4 /dev/sda "
        "rw\n"
        "91 35 8:1 /snapshots/" +
        id +
        "/tree/sub\\040dir /var/lib/kubelet/pods/u-2/volumes/kubernetes.io~csi/e/mount rw - ext4 /dev/sdb rw\n"
        "92 35 8:1 /snapshots/" +
        id +
        "/treehouse /elsewhere ro - ext4 /dev/sdb rw\n"
        "93 35 8:1 /snapshots/zz/tree /elsewhere ro - ext4 /dev/sdb rw\nbroken line\n";
    const auto mounts = data_mounts(table);
    REQUIRE(mounts.size() == 2);
    CHECK(mounts[0].pod_uid == "u-1");
    CHECK(mounts[0].read_only);
    CHECK(mounts[0].snapshot.str() == id);
    CHECK(mounts[1].sub_path == "sub dir");
    CHECK_FALSE(mounts[1].read_only);
    CHECK(pod_uid_of("/var/lib/kubelet/pods/x/y/volumes/kubernetes.io~csi/d/mount").empty());
}

TEST_CASE("a node says with whom it got a dataset, and why the origin was asked") {
    api::NodeDataset object;
    TransferView transfer;
    transfer.phase = TransferPhase::running;
    transfer.swarm = swarm::SessionState{
        .neighbours = 7,
        .troubled = {{"node-b", "slow"}, {"node-c", "false_claim"}},
        .pieces = 40,
        .drawn = {
            .owned = 12, .taken_over = 1, .again = 2, .compared = 3, .over_budget = 1, .late_owners = {"node-b"}}};
    const NodeDatasetView view{object, transfer, {}, false, false, 0, ""};
    const api::NodePeers peers = node_dataset_status(view, api::Phase::syncing).peers;
    CHECK(peers.neighbours == 7);
    CHECK(peers.troubled == std::vector<api::PeerTrouble>{{"node-b", "slow"}, {"node-c", "false_claim"}});
    CHECK(peers.late_owners == std::vector<std::string>{"node-b"});
    CHECK(peers_text("node node-a", peers) ==
          "node node-a: 7 neighbours; of 40 pieces from the origin: 12 as their owner, 1 in place of node-b, which was "
          "late, 2 again, lost with a node, 3 to compare (1 over the budget); node-b is slow; node-c is banned: "
          "false_claim");
    CHECK(peers_text("node node-a", {}).empty());
    CHECK(peers_text("n/d", {.neighbours = 1, .pieces = 40}) == "n/d: 1 neighbour; of 40 pieces from the origin: none");
    transfer.swarm->troubled.clear();
    for (int i = 0; i < 20; ++i) transfer.swarm->troubled["node-" + std::to_string(i)] = "unreachable";
    const NodeDatasetView many{object, transfer, {}, false, false, 0, ""};
    CHECK(node_dataset_status(many, api::Phase::syncing).peers.troubled.size() == 16);
}

TEST_CASE("a node says where it gives a dataset only while it is Ready, and what came from whom") {
    api::NodeDataset object;
    TransferView transfer;
    transfer.phase = TransferPhase::ready, transfer.finished_unix_s = 1;
    transfer.origin_bytes = 1, transfer.peer_bytes = 2, transfer.reused_bytes = 3;
    NodeDatasetView view{object, transfer, {}, true, false, 0, "10.0.0.7:7443"};
    const auto status = node_dataset_status(view, api::Phase::ready);
    CHECK(status.peer_address == "10.0.0.7:7443");
    CHECK(status.origin_bytes == 1);
    CHECK(status.peer_bytes == 2);
    CHECK(status.reused_bytes == 3);
    object.status = status;
    for (const auto phase : {api::Phase::syncing, api::Phase::evicting, api::Phase::evicted})
        CHECK(node_dataset_status(view, phase).peer_address.empty());
    view.transfer.reset();
    CHECK(node_dataset_status(view, api::Phase::pending).peer_address.empty());
}

TEST_CASE(
    "the agent: evicts what is not wanted, adopts what is there, and does not fetch again what had to make room") {
    api::NodeDataset object;
    object.spec.wanted = api::Wanted::ensure;
    using Action = NodeDatasetDecision::Action;
    NodeDatasetView view{object, {}, {}, false, false, 0};
    CHECK(decide_node_dataset(view).action == Action::ensure);
    object.status.phase = api::Phase::ready;
    view.in_store = true;
    CHECK(decide_node_dataset(view).action == Action::adopt);
    view.in_store = false, view.evicted_for_space = true;
    CHECK(decide_node_dataset(view).phase == api::Phase::evicted);
    object.status.phase = api::Phase::evicted, view.evicted_for_space = false;
    CHECK(decide_node_dataset(view).action == Action::forget);
    object.spec.wanted = api::Wanted::evict, object.status.phase = api::Phase::ready;
    CHECK(decide_node_dataset(view).action == Action::evict);
    object.metadata.deletion_timestamp = "now", object.status.phase = api::Phase::evicted;
    CHECK(decide_node_dataset(view).release);
}

namespace {

/// A listed dataset for all of `nodes` nodes, an hour after its listing.
struct ListedDataset {
    explicit ListedDataset(size_t nodes) {
        backend->metadata.uid = "b1";
        dataset.metadata.uid = "d1", dataset.metadata.finalizers = {api::kInUseFinalizer};
        dataset.spec.placement.replicas.text = "All";
        view.source.backend = backend, view.source.prefix = "p/";
        view.listing = {source_key(view.source), false, 1'000'000, std::nullopt, Revision(std::string(64, 'a')), 1, 5};
        view.now_unix_s = 1'003'600;
        view.load = [](const std::string&) { return 0; };
        view.has_agent = [](const std::string&) { return true; };
        view.holding = [](const api::Pod&, const std::string&) { return PodHolding(); };
        view.room = [](const api::Pod&, const api::Node&) { return true; };
        for (size_t i = 0; i < nodes; ++i) {
            const std::string text = R"({"metadata":{"name":"n)" + std::to_string(i) +
                                     R"("},"status":{"conditions":[{"type":"Ready","status":"True"}]}})";
            view.nodes.push_back(
                std::make_shared<const api::Node>(api::from_json<api::Node>(json::parse(text)).value()));
        }
    }
    /// What the nodes are told becomes true, and the decision after that.
    DatasetDecision after(const DatasetDecision& decision) {
        for (api::NodeDataset object : decision.create) {
            object.status.phase = api::Phase::ready, object.status.snapshot = "s";
            object.status.last_use = iso8601(view.now_unix_s);
            view.held.push_back(std::make_shared<const api::NodeDataset>(std::move(object)));
        }
        dataset.status = decision.status;
        return decide_dataset(view);
    }
    void change_node(const std::string& name, const std::function<void(api::Node&)>& change) {
        for (auto& node : view.nodes)
            if (node->metadata.name == name) {
                api::Node next = *node;
                change(next);
                node = std::make_shared<const api::Node>(std::move(next));
            }
    }
    std::shared_ptr<api::StorageBackend> backend = std::make_shared<api::StorageBackend>();
    api::Dataset dataset;
    DatasetView view{dataset, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, 0};
};

}  // namespace

TEST_CASE(
    "a node that is cordoned, drained or deleted is no replica any more: another gets the data while it is there") {
    const std::vector<std::function<void(api::Node&)>> ways = {
        [](api::Node& node) { node.spec.unschedulable = true; },
        [](api::Node& node) { node.spec.taints = {{"node.kubernetes.io/unschedulable", "", "NoSchedule"}}; },
        [](api::Node& node) { node.metadata.deletion_timestamp = "2026-01-01T00:00:00Z"; }};
    for (const auto& leave : ways) {
        ListedDataset listed(3);
        listed.dataset.spec.placement.replicas.text = "1";
        listed.dataset.spec.retention.ttl = "1s";
        DatasetDecision decision = listed.after(decide_dataset(listed.view));
        REQUIRE(listed.view.held.size() == 1);
        CHECK(decision.create.empty());
        CHECK(decision.status.ready == "1/1");
        const std::string old = listed.view.held[0]->spec.node;
        listed.change_node(old, leave);
        listed.view.now_unix_s += 60;
        decision = decide_dataset(listed.view);
        REQUIRE(decision.create.size() == 1);
        CHECK(decision.create[0].spec.node != old);
        CHECK(decision.evict.empty());
        CHECK(decision.remove.empty());
        CHECK(decision.status.ready == "1/2");
        CHECK(api::find_condition(decision.status.conditions, "Ready")->status == api::ConditionStatus::no);
        decision = listed.after(decision);
        REQUIRE(decision.evict.size() == 1);
        CHECK(decision.evict[0]->spec.node == old);
        CHECK(decision.create.empty());
    }
}

TEST_CASE("the last copy stays on a node that leaves where no other node can take it, or nobody asks for replicas") {
    ListedDataset alone(1);
    alone.dataset.spec.retention.ttl = "1s";
    (void)alone.after(decide_dataset(alone.view));
    alone.change_node("n0", [](api::Node& node) { node.spec.unschedulable = true; });
    alone.view.now_unix_s += 60;
    CHECK(decide_dataset(alone.view).evict.empty());
    alone.dataset.spec.placement.replicas.text = "OnDemand";
    CHECK(decide_dataset(alone.view).evict.size() == 1);
}

TEST_CASE("a node that is not to be left any more is a replica again") {
    ListedDataset listed(2);
    listed.dataset.spec.placement.replicas.text = "1";
    (void)listed.after(decide_dataset(listed.view));
    const std::string node = listed.view.held[0]->spec.node;
    listed.change_node(node, [](api::Node& one) { one.spec.unschedulable = true; });
    CHECK(decide_dataset(listed.view).create.size() == 1);
    listed.change_node(node, [](api::Node& one) { one.spec.unschedulable = false; });
    CHECK(decide_dataset(listed.view).create.empty());
    CHECK(decide_dataset(listed.view).status.ready == "1/1");
}

TEST_CASE("the more nodes fetch at once, the more seldom each says how far it is") {
    for (const auto& [nodes, seconds] : {std::pair<size_t, uint32_t>{3, 5}, {250, 5}, {1000, 20}}) {
        ListedDataset listed(nodes);
        const DatasetDecision decision = decide_dataset(listed.view);
        REQUIRE(decision.create.size() == nodes);
        CHECK(decision.create[0].spec.progress_seconds == seconds);
    }
}

TEST_CASE("a node that finds its source changed has the origin listed again, not over and over") {
    ListedDataset listed(1);
    CHECK_FALSE(decide_dataset(listed.view).list);
    api::NodeDataset held = decide_dataset(listed.view).create[0];
    held.status.phase = api::Phase::failed;
    held.status.last_error = api::LastError{api::Reason::source_changed, "big changed", "big", "", 1};
    listed.dataset.status = decide_dataset(listed.view).status;
    const auto decide = [&] {
        listed.view.held = {std::make_shared<const api::NodeDataset>(held)};
        return decide_dataset(listed.view);
    };
    CHECK(decide().list);
    listed.view.now_unix_s = listed.view.listing.ended_unix_s + 1;
    CHECK_FALSE(decide().list);
    CHECK(decide().again_s.value_or(0) == 9);
    held.status.last_error->attempts = 20, listed.view.now_unix_s += 60;
    CHECK_FALSE(decide().list);
    held.spec.revision = Revision(std::string(64, 'b')),
    listed.view.now_unix_s += 3600;  // an older one, that a rollback wants
    CHECK_FALSE(decide().list);
}

}  // namespace zcdp::services
