// Publish, unpublish, what is adopted after a crash, and mounts that kubelet forgot.
#include "src/services/agent/volumes.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "tests/support/doctest.hpp"
#include "tests/support/sim_api.hpp"
#include "tests/support/temp_store.hpp"

namespace zcdp::test {
namespace {

using namespace zcdp::services;
using namespace zcdp::services::agent;
using kube::CsiCode;
using kube::CsiStatus;

/// Mounts on paper.
class PaperMounter final : public Mounter {
  public:
    Result<> bind(const std::string& tree, const std::string& sub_path, const std::string& target) override {
        if (fails) return Error(ErrorKind::not_found, "has no such folder", sub_path);
        trees[target] = tree;
        return {};
    }
    bool is_mount(const std::string& target) override { return trees.contains(target); }
    Result<> unbind(const std::string& target) override {
        if (fails) return Error(ErrorKind::failed, "is busy", target);
        trees.erase(target);
        return {};
    }
    Result<std::vector<DataMount>> mounts() override { return table; }

    bool fails = false;
    std::map<std::string, std::string> trees;  ///< by target
    std::vector<DataMount> table;              ///< what adopt() finds
};

constexpr const char* kNode = "node-1";
const Revision kRevision("r1");

std::string target_of(const std::string& pod_uid) {
    return "/var/lib/kubelet/pods/" + pod_uid + "/volumes/kubernetes.io~csi/data/mount";
}

struct Node {
    Node() {
        const json::object dataset = api_.create(kube::resources::datasets, "n",
                                                 json::parse(R"({"metadata":{"name":"llama","namespace":"n"},
                                                     "spec":{"source":{"backend":"b"}},"status":{"revision":"r1"}})")
                                                     .as_object(),
                                                 "", "")
                                         .value();
        dataset_uid = std::string(dataset.at("metadata").at("uid").as_string());
        api_.create(kube::resources::claims, "n",
                    json::parse(R"({"metadata":{"name":"claim","namespace":"n"},
                        "spec":{"dataset":"llama","mountPath":"/data"}})")
                        .as_object(),
                    "", "")
            .value();
        snapshot = temp.snapshot(*store, {{"file", "content"}});
        begin();
    }
    /// The agent's start: what it knew before is gone, what is mounted and leased is not.
    void begin() {
        volumes.emplace(
            Volumes::Parts{api_, *store, *store, mounter, transfers, held, system_fs(), clock, metrics, log},
            VolumesOptions{kNode, 0, 1'000}, [this](const std::string& uid) { use_changed.push_back(uid); });
    }
    void make_ready() { transfers.adopt(api::node_dataset_name(kNode, dataset_uid, kRevision), snapshot.id.str(), 7); }
    void make_pod(const std::string& name, const std::string& uid) {
        server.put("pods", json::object{{"metadata", json::object{{"name", name}, {"namespace", "n"}, {"uid", uid}}},
                                        {"spec", json::object()}});
    }
    static kube::PublishRequest request(const std::string& pod, const std::string& uid) {
        kube::PublishRequest out;
        out.volume_id = "volume of " + pod, out.target_path = target_of(uid);
        out.read_only = out.has_capability = true;
        out.context = {{"claim", "claim"},
                       {"csi.storage.k8s.io/pod.namespace", "n"},
                       {"csi.storage.k8s.io/pod.name", pod},
                       {"csi.storage.k8s.io/pod.uid", uid}};
        return out;
    }
    size_t leases() { return store->leases().value().size(); }

    ManualClock clock{1'800'000'000'000'000'000};
    SeededRandom random{1};
    SimServer server{clock};
    SimApi api_{server, random};
    Metrics metrics;
    Logger log{clock, 2, LogLevel::off, LogFormat::text};
    TempStore temp;
    std::unique_ptr<store::Store> store = temp.open();
    store::SnapshotInfo snapshot;
    std::string dataset_uid;
    PaperMounter mounter;
    kube::Cache<api::NodeDataset> held{[](const api::NodeDataset&) { return std::vector<std::string>(); }};
    Transfers transfers{
        {*store, {system_fs(), clock, random, metrics, log, [](const char*) { return std::string(); }}, metrics, log},
        [](const api::NodeDataset&) -> Result<backend::BackendAccess> { return Error(ErrorKind::failed, "not here"); },
        [](const api::NodeDataset&, const backend::BackendAccess&, Machine) -> Result<origin::OriginFactory> {
            return Error(ErrorKind::failed, "not here");
        },
        1,
        [](const std::string&) {}};
    std::vector<std::string> use_changed;
    std::optional<Volumes> volumes;
};

}  // namespace

TEST_CASE("a volume is mounted once its data is here, under a lease, and once only") {
    Node node;
    const CsiStatus early = node.volumes->publish(Node::request("p", "u1"));
    CHECK(early.code == CsiCode::unavailable);
    CHECK(early.message == "dataset llama: waiting for the controller to place it on node node-1");
    CHECK(node.leases() == 0);
    node.make_ready();
    REQUIRE(node.volumes->publish(Node::request("p", "u1")).code == CsiCode::ok);
    CHECK(node.mounter.trees.at(target_of("u1")) == node.snapshot.tree_path);
    CHECK(node.leases() == 1);
    CHECK(node.volumes->count() == 1);
    REQUIRE(node.volumes->publish(Node::request("p", "u1")).code == CsiCode::ok);  // kubelet asks again
    CHECK(node.leases() == 1);
    REQUIRE(node.volumes->publish(Node::request("q", "u2")).code == CsiCode::ok);
    CHECK(node.leases() == 2);
    const auto pods = node.volumes->pods_of(node.dataset_uid);
    REQUIRE(pods.size() == 2);
    CHECK(pods[0] == api::PodRef{"n", "p", "u1"});
    CHECK(node.volumes->pods_of("another").empty());
    CHECK(node.use_changed == std::vector<std::string>{node.dataset_uid, node.dataset_uid});
    CHECK_FALSE(node.store->evict(node.snapshot.id));  // it is used
}

TEST_CASE("a mount that fails leaves no lease behind") {
    Node node;
    node.make_ready();
    node.mounter.fails = true;
    const CsiStatus status = node.volumes->publish(Node::request("p", "u1"));
    CHECK(status.code == CsiCode::not_found);
    CHECK(status.message.find("has no such folder") != std::string::npos);
    CHECK(node.leases() == 0);
    CHECK(node.volumes->count() == 0);
    CHECK(node.use_changed.empty());
}

TEST_CASE("what no volume may say is refused before anybody is asked") {
    Node node;
    node.make_ready();
    node.api_.failure_rate = 1;
    const auto code = [&](auto&& change) {
        kube::PublishRequest request = Node::request("p", "u1");
        change(request);
        return node.volumes->publish(request).code;
    };
    CHECK(code([](auto& r) { r.volume_id.clear(); }) == CsiCode::invalid_argument);
    CHECK(code([](auto& r) { r.target_path.clear(); }) == CsiCode::invalid_argument);
    CHECK(code([](auto& r) { r.has_capability = false; }) == CsiCode::invalid_argument);
    CHECK(code([](auto& r) { r.block = true; }) == CsiCode::invalid_argument);
    CHECK(code([](auto& r) { r.read_only = false; }) == CsiCode::invalid_argument);
    CHECK(code([](auto& r) { r.context["path"] = "/etc"; }) == CsiCode::invalid_argument);
    CHECK(code([](auto& r) { r.context["claim"] = "../other"; }) == CsiCode::invalid_argument);
    CHECK(code([](auto& r) { r.context.erase("claim"); }) == CsiCode::invalid_argument);
    CHECK(code([](auto& r) { r.context.erase("csi.storage.k8s.io/pod.namespace"); }) == CsiCode::invalid_argument);
    CHECK(code([](auto&) {}) == CsiCode::unavailable);  // this one asks
    CHECK(node.leases() == 0);
}

TEST_CASE("the last answers serve while the API server is away; what is gone is gone") {
    Node node;
    node.make_ready();
    REQUIRE(node.volumes->publish(Node::request("p", "u1")).code == CsiCode::ok);
    node.clock.advance_ns(3'600'000'000'000);
    node.api_.failure_rate = 1;
    CHECK(node.volumes->publish(Node::request("q", "u2")).code == CsiCode::ok);
    node.api_.failure_rate = 0;
    node.server.remove("datasetclaims", "n/claim");
    const CsiStatus status = node.volumes->publish(Node::request("r", "u3"));
    CHECK(status.code == CsiCode::unavailable);
    CHECK(status.message == "there is no DatasetClaim claim in namespace n");
}

TEST_CASE("unpublish unmounts, gives the lease back, and asks nobody; twice is fine") {
    Node node;
    node.make_ready();
    REQUIRE(node.volumes->publish(Node::request("p", "u1")).code == CsiCode::ok);
    node.api_.failure_rate = 1;
    SUBCASE("a mount that is busy keeps its lease") {
        node.mounter.fails = true;
        CHECK(node.volumes->unpublish("volume of p", target_of("u1")).code == CsiCode::internal);
        CHECK(node.leases() == 1);
        CHECK(node.volumes->count() == 1);
        node.mounter.fails = false;
    }
    CHECK(node.volumes->unpublish("volume of p", target_of("u1")).code == CsiCode::ok);
    CHECK(node.mounter.trees.empty());
    CHECK(node.leases() == 0);
    CHECK(node.volumes->count() == 0);
    CHECK(node.volumes->unpublish("volume of p", target_of("u1")).code == CsiCode::ok);
    CHECK(node.volumes->unpublish("", target_of("u1")).code == CsiCode::invalid_argument);
    CHECK(node.volumes->unpublish("v", "").code == CsiCode::invalid_argument);
    CHECK(node.store->evict(node.snapshot.id));
}

TEST_CASE("stats are the snapshot's, of what is mounted") {
    Node node;
    node.make_ready();
    kube::VolumeStats stats;
    CHECK(node.volumes->stats("v", target_of("u1"), stats).code == CsiCode::not_found);
    REQUIRE(node.volumes->publish(Node::request("p", "u1")).code == CsiCode::ok);
    REQUIRE(node.volumes->stats("v", target_of("u1"), stats).code == CsiCode::ok);
    CHECK(stats.used_bytes == 7);
    CHECK(stats.used_inodes == node.snapshot.files + node.snapshot.directories + node.snapshot.symlinks);
}

TEST_CASE("after a crash of the agent leases and mounts are matched") {
    Node node;
    node.make_ready();
    for (const char* pod : {"p", "q"})
        REQUIRE(node.volumes->publish(Node::request(pod, std::string("u-") + pod)).code == CsiCode::ok);
    const DataMount of_p{target_of("u-p"), node.snapshot.id, "", "u-p", true},
        of_r{target_of("u-r"), node.snapshot.id, "", "u-r", true};
    SUBCASE("a lease whose mount is gone goes, a mount without a lease gets one") {
        node.mounter.table = {of_p, of_r};
        node.begin();
        REQUIRE(node.volumes->adopt());
        CHECK(node.volumes->count() == 2);
        CHECK(node.leases() == 2);
        const auto pods = node.volumes->pods_of(node.dataset_uid);
        REQUIRE(pods.size() == 1);
        CHECK(pods[0] == api::PodRef{"n", "p", "u-p"});
        REQUIRE(node.volumes->unpublish("v", target_of("u-r")).code == CsiCode::ok);
        REQUIRE(node.volumes->unpublish("v", target_of("u-p")).code == CsiCode::ok);
        CHECK(node.leases() == 0);
    }
    SUBCASE("nothing is mounted any more: no lease is left") {
        node.begin();
        REQUIRE(node.volumes->adopt());
        CHECK(node.volumes->count() == 0);
        CHECK(node.leases() == 0);
    }
    SUBCASE("a mount of another snapshot is not the lease's") {
        const auto other = node.temp.snapshot(*node.store, {{"file", "another content"}}, "other");
        DataMount mount = of_p;
        mount.snapshot = other.id;
        node.mounter.table = {mount};
        node.begin();
        REQUIRE(node.volumes->adopt());
        CHECK(node.volumes->count() == 1);
        REQUIRE(node.leases() == 1);
        CHECK(node.store->leases().value()[0].snapshot == other.id);
    }
    SUBCASE("mounts that are no pod's, and leases of others, are left alone") {
        const auto of_another = node.store->lease(node.snapshot.id, "a person", 0);
        REQUIRE(of_another);
        DataMount mount = of_r;
        mount.target = "/mnt/by-hand", mount.pod_uid = "";
        node.mounter.table = {mount, of_p};
        node.begin();
        REQUIRE(node.volumes->adopt());
        CHECK(node.volumes->count() == 1);
        CHECK(node.leases() == 2);
    }
}

TEST_CASE("a mount whose pod is gone at two looks in a row is swept, and no other") {
    Node node;
    node.make_ready();
    node.make_pod("lives", "u1");
    node.make_pod("again", "u3");  // of the same name, made anew
    REQUIRE(node.volumes->publish(Node::request("lives", "u1")).code == CsiCode::ok);
    REQUIRE(node.volumes->publish(Node::request("gone", "u2")).code == CsiCode::ok);
    REQUIRE(node.volumes->publish(Node::request("again", "u3 of before")).code == CsiCode::ok);
    node.volumes->sweep_orphans();
    CHECK(node.volumes->count() == 3);
    SUBCASE("gone for good") {
        node.volumes->sweep_orphans();
        CHECK(node.volumes->count() == 1);
        CHECK(node.leases() == 1);
        CHECK(node.mounter.trees.size() == 1);
        CHECK(node.mounter.trees.contains(target_of("u1")));
    }
    SUBCASE("back at the second look: counted from anew") {
        node.make_pod("gone", "u2");
        node.volumes->sweep_orphans();
        CHECK(node.volumes->count() == 2);
        node.server.remove("pods", "n/gone");
        node.volumes->sweep_orphans();
        CHECK(node.volumes->count() == 2);
        node.volumes->sweep_orphans();
        CHECK(node.volumes->count() == 1);
    }
    SUBCASE("while the API server is away nobody is judged") {
        node.api_.failure_rate = 1;
        for (int i = 0; i < 5; ++i) node.volumes->sweep_orphans();
        CHECK(node.volumes->count() == 3);
    }
}

}  // namespace zcdp::test
