// What becomes of a pod that waits for its data: its gate, the turns of gates and labels, its room, and what it says.
#include <sys/stat.h>
#include <unistd.h>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <filesystem>
#include <fstream>
#include <set>

#include "src/services/agent/place_in.hpp"
#include "src/services/backend/nested_mounts.hpp"
#include "src/services/controller/decide/decide_pod.hpp"
#include "src/services/controller/decide/label_turns.hpp"
#include "src/services/controller/decide/room.hpp"
#include "src/services/controller/webhook/mutate_pod.hpp"
#include "tests/support/doctest.hpp"

namespace zcdp::services {
namespace {

using namespace agent;
using namespace backend;
using namespace controller;

namespace json = boost::json;

constexpr int64_t kS = 1'000'000'000;
const std::string kLabel = api::data_label("u1");

template <class T>
std::shared_ptr<const T> shared(const std::string& text) {
    return std::make_shared<const T>(api::from_json<T>(json::parse(text)).value());
}

/// A node in a pool; it carries the dataset's label if told so.
std::shared_ptr<const api::Node> node(const std::string& name, const std::string& pool, bool labelled) {
    return shared<api::Node>(
        R"({"metadata":{"name":")" + name + R"(","labels":{"pool":")" + pool + "\"" +
        (labelled ? ",\"" + kLabel + R"(":"ready")" : "") +
        R"(}},"status":{"conditions":[{"type":"Ready","status":"True"}],"allocatable":{"cpu":"4","pods":"10"}}})");
}
std::shared_ptr<const api::NodeDataset> held(const std::string& on, const std::string& status) {
    return shared<api::NodeDataset>(R"({"metadata":{"name":"nd"},"spec":{"node":")" + on +
                                    R"(","wanted":"Ensure","revision":"r"},"status":)" + status + "}");
}

/// A pod that waits for one dataset, an hour after it was made.
struct Waiting {
    api::Pod pod;
    std::set<std::string> full;
    int64_t closed_ns = 0, now_s = 1'000'003'600;
    PodClaim claim{
        "llama",
        shared<api::DatasetClaim>(R"({"metadata":{"name":"llama"},"spec":{"dataset":"set","policy":"WaitForData"}})"),
        shared<api::Dataset>(R"({"metadata":{"name":"set","uid":"u1"},"status":{"revision":"r"}})"),
        {held("n1", R"({"phase":"Ready"})")}};
    PodDecision decide(Objects<api::Node> nodes) {
        pod.metadata.creation_timestamp = iso8601(1'000'000'000);
        return decide_pod({pod,
                           {claim},
                           std::move(nodes),
                           [this](const api::Node& one) { return !full.contains(one.metadata.name); },
                           [this](const std::string&) { return closed_ns; },
                           now_s});
    }
};

}  // namespace

TEST_CASE("the gate opens when the data is where the pod may run, or when no node could take it") {
    Waiting one;
    const PodDecision there = one.decide({node("n1", "a", true), node("n2", "b", false)});
    CHECK(there.open_gate);
    CHECK(there.required_labels == std::vector<std::string>{kLabel});
    CHECK(there.node == "n1");
    one.pod.spec.node_selector = {{"pool", "b"}};
    CHECK_FALSE(one.decide({node("n1", "a", true), node("n2", "b", false)}).open_gate);  // it is elsewhere
    one.pod.spec.node_selector = {{"pool", "c"}};
    const PodDecision nowhere = one.decide({node("n1", "a", true)});
    CHECK(nowhere.open_gate);  // an autoscaler must see the pod
    CHECK(nowhere.required_labels.empty());
    CHECK(nowhere.preferred_labels == std::vector<std::string>{kLabel});
    CHECK(nowhere.says->reason == api::Reason::no_node);
    one.pod.spec.node_selector.clear(), one.claim.held.clear();
    CHECK_FALSE(one.decide({node("n1", "a", false)}).open_gate);
    one.claim.dataset = nullptr;
    CHECK_FALSE(one.decide({node("n1", "a", true)}).open_gate);
}

TEST_CASE("the gate stays while the label is not there, or some kubelet may not have heard of it") {
    Waiting one;
    CHECK_FALSE(one.decide({node("n1", "a", false)}).open_gate);
    CHECK(one.decide({node("n1", "a", false)}).again_s == 1);
    one.closed_ns = 1'300'000'000;
    const PodDecision held_back = one.decide({node("n1", "a", true)});
    CHECK_FALSE(held_back.open_gate);
    CHECK(held_back.again_s == 2);
    CHECK_FALSE(held_back.says.has_value());  // this is over soon
    one.closed_ns = 0;
    CHECK(one.decide({node("n1", "a", true)}).open_gate);
}

TEST_CASE("holders without room: the pod waits for a node that has some, and asks for no label when none has") {
    Waiting one;
    one.full = {"n1"};
    const PodDecision elsewhere = one.decide({node("n1", "a", true), node("n2", "a", false)});
    CHECK_FALSE(elsewhere.open_gate);
    CHECK(elsewhere.says->reason == api::Reason::elsewhere);
    CHECK(elsewhere.again_s.has_value());
    one.full = {"n1", "n2"};
    const PodDecision none = one.decide({node("n1", "a", true), node("n2", "a", false)});
    CHECK(none.open_gate);
    CHECK(none.required_labels.empty());
    CHECK(none.says->reason == api::Reason::no_room);
    one.full = {"n1"}, one.claim.held.push_back(held("n2", R"({"phase":"Ready"})"));
    CHECK(one.decide({node("n1", "a", true), node("n2", "a", true)}).node == "n2");
}

TEST_CASE("a waiting pod says which claim, dataset, reason and how far; what is over soon it keeps to itself") {
    Waiting one;
    const auto says = [&](const char* status, int64_t waited_s = 3600) {
        one.claim.held = {held("n1", status)};
        one.now_s = 1'000'000'000 + waited_s;
        const auto out = one.decide({node("n1", "a", false)}).says;
        return out ? (out->wrong ? "!" : "") + out->reason.str() + ": " + out->message : "";
    };
    CHECK(says(R"({"phase":"Syncing","bytesDone":42,"bytesTotal":100})") ==
          "Syncing: claim llama, dataset set: node n1 has 42 percent of 100 B");
    CHECK(says(R"({"phase":"Syncing","bytesDone":42,"bytesTotal":100})", 1).empty());
    CHECK(says(R"({"phase":"Syncing"})") == "Syncing: claim llama, dataset set: node n1 has begun to fetch it");
    CHECK(says(R"({"phase":"Failed","lastError":{"reason":"AccessDenied","message":"no"}})", 1) ==
          "!AccessDenied: claim llama, dataset set: node n1: no");
    one.claim.dataset =
        shared<api::Dataset>(R"({"metadata":{"name":"set","uid":"u1"},"status":{"revision":"r","bytes":100}})");
    CHECK(says(R"({"phase":"Syncing"})") == "Syncing: claim llama, dataset set: node n1 has 0 percent of 100 B");
    one.claim.dataset = shared<api::Dataset>(
        R"({"metadata":{"name":"set","uid":"u1"},"status":{"conditions":[{"type":"Listed","status":"False","reason":"NotFound","message":"no bucket x"}]}})");
    CHECK(says("{}", 0) == "!NotFound: claim llama, dataset set: no bucket x");
    one.claim.dataset = nullptr;
    CHECK(says("{}", 0) == "!DatasetNotFound: claim llama: there is no Dataset set in this namespace");
    one.claim.claim = nullptr;
    CHECK(says("{}", 0) == "!ClaimNotFound: there is no DatasetClaim llama in this namespace");
}

TEST_CASE("a placed pod speaks of its own node, and says in the end that all is there") {
    Waiting one;
    one.pod.spec.node_name = "n2", one.pod.status.phase = api::PodPhase::pending;
    one.pod.metadata.creation_timestamp = iso8601(1'000'000'000);
    one.claim.held.push_back(held("n2", R"({"phase":"Failed","lastError":{"reason":"NoSpace","message":"full"}})"));
    const PodView view{one.pod, {one.claim}, {}, {}, {}, one.now_s};
    CHECK(decide_placed_pod(view).says->message == "claim llama, dataset set: node n2: full");
    one.pod.status.phase = api::PodPhase::running;
    CHECK(decide_placed_pod(view).says->ready);
    one.pod.status.phase = api::PodPhase::pending, one.pod.spec.node_name = "n1";
    CHECK(decide_placed_pod(view).says->ready);
    CHECK_FALSE(decide_placed_pod(view).open_gate);
}

TEST_CASE("gates and labels take turns: no gate for two seconds after a label, no label while pods are between") {
    LabelTurns turns;
    int64_t now = 100 * kS;
    CHECK(turns.closed_ns(kLabel, now) > 0);  // nobody has it
    CHECK(turns.before_put_ns(kLabel, false, now) == 0);
    turns.putting(kLabel, now);
    turns.see(*node("n1", "a", true), now);
    CHECK(turns.closed_ns(kLabel, now) == kHeardAfterNs);
    CHECK(turns.before_put_ns(kLabel, false, now + kS / 4) == 0);  // others at the same time
    turns.putting(kLabel, now + kS / 4);
    CHECK(turns.closed_ns(kLabel, now + 2 * kS) == kS / 4);
    now += 3 * kS;
    CHECK(turns.closed_ns(kLabel, now) == 0);
    CHECK(turns.before_put_ns(kLabel, false, now) == kS);  // the gates' turn
    turns.see(*node("n1", "a", true), now);
    CHECK(turns.closed_ns(kLabel, now) == 0);  // seen before
    turns.opening({kLabel}, now);
    now += kS;
    CHECK(turns.before_put_ns(kLabel, true, now) > 0);
    CHECK(turns.closed_ns(kLabel, now) > 0);  // a label waits: the pods between come to an end
    for (int i = 0; i < 4; ++i) CHECK(turns.before_put_ns(kLabel, true, now += kS) > 0);
    now += kS;
    CHECK(turns.before_put_ns(kLabel, true, now) == 0);  // a scheduler that does nothing holds nobody up
    turns.putting(kLabel, now);
    CHECK(turns.closed_ns(kLabel, now + 2 * kS) == 0);
}

TEST_CASE(
    "a label that waited and is not put after all does not keep the gates closed, and one seen first after a takeover "
    "is new") {
    LabelTurns turns;
    turns.see(*node("n1", "a", true), 100 * kS);
    CHECK(turns.closed_ns(kLabel, 101 * kS) == kS);
    CHECK(turns.closed_ns(kLabel, 102 * kS) == 0);
    CHECK(turns.before_put_ns(kLabel, true, 103 * kS) > 0);
    CHECK(turns.closed_ns(kLabel, 104 * kS) > 0);
    CHECK(turns.closed_ns(kLabel, 110 * kS) == 0);
    turns.see(*node("n1", "a", false), 110 * kS);
    turns.see(*node("n1", "a", true), 111 * kS);
    CHECK(turns.closed_ns(kLabel, 111 * kS) == kHeardAfterNs);
}

TEST_CASE("a label stays on its node while a pod is on its way there, and not for ever") {
    LabelTurns turns;
    CHECK(turns.before_removal_ns("n1", kLabel, false, 100 * kS) == 0);
    for (int second = 101; second <= 105; ++second) CHECK(turns.before_removal_ns("n1", kLabel, true, second * kS) > 0);
    CHECK(turns.before_removal_ns("n1", kLabel, true, 106 * kS) == 0);
    CHECK(turns.before_removal_ns("n1", kLabel, false, 107 * kS) == 0);
    CHECK(turns.before_removal_ns("n1", kLabel, true, 108 * kS) > 0);  // another pod
    turns.opening({kLabel}, 110 * kS);
    CHECK(turns.before_removal_ns("n2", kLabel, false, 110 * kS + 1) > 0);
    const std::string volume = R"("volumes":[{"csi":{"driver":"zcdp.io","volumeAttributes":{"claim":"c"}}}])";
    CHECK(
        is_arriving(*shared<api::Pod>(R"({"spec":{"nodeName":"n1",)" + volume + R"(},"status":{"phase":"Pending"}})")));
    CHECK_FALSE(is_arriving(*shared<api::Pod>(R"({"spec":{"nodeName":"n1",)" + volume +
                                              R"(},"status":{"phase":"Pending","startTime":"t"}})")));
    CHECK_FALSE(is_arriving(*shared<api::Pod>(R"({"spec":{"nodeName":"n1"},"status":{"phase":"Pending"}})")));
}

TEST_CASE(
    "a controller that stood still takes no label's old wait for a right to be put beside a gate that has just gone") {
    LabelTurns turns;
    turns.opening({kLabel}, 100 * kS);
    CHECK(turns.before_put_ns(kLabel, true, 100 * kS) > 0);
    turns.see(*node("n1", "a", true), 101 * kS);
    CHECK(turns.closed_ns(kLabel, 117 * kS) == 0);
    turns.opening({kLabel}, 117 * kS);
    CHECK(turns.before_put_ns(kLabel, true, 117 * kS) > 0);
    CHECK(turns.closed_ns(kLabel, 118 * kS) > 0);
    CHECK(turns.before_put_ns(kLabel, false, 118 * kS) == 0);
}

TEST_CASE("a label that is to go waits for each gate that has just gone, however long others have kept it") {
    LabelTurns turns;
    for (int second = 100; second < 110; ++second) {
        turns.opening({kLabel}, second * kS);
        CHECK(turns.before_removal_ns("n1", kLabel, true, second * kS + kS / 2) > 0);
    }
    CHECK(turns.before_removal_ns("n1", kLabel, true, 111 * kS) == 0);
}

TEST_CASE("between gate and node: ungated, unbound, asking for the label, and not given up by the scheduler") {
    const std::string affinity =
        R"("affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchExpressions":[{"key":")" +
        kLabel + R"(","operator":"In","values":["ready"]}]}]}}})";
    CHECK(is_between(*shared<api::Pod>(R"({"spec":{)" + affinity + "}}"), kLabel));
    CHECK_FALSE(is_between(*shared<api::Pod>(R"({"spec":{)" + affinity + "}}"), "d.zcdp.io/other"));
    CHECK_FALSE(is_between(*shared<api::Pod>(R"({"spec":{"nodeName":"n1",)" + affinity + "}}"), kLabel));
    CHECK_FALSE(
        is_between(*shared<api::Pod>(R"({"spec":{"schedulingGates":[{"name":"other"}],)" + affinity + "}}"), kLabel));
    CHECK_FALSE(is_between(
        *shared<api::Pod>(
            R"({"spec":{)" + affinity +
            R"(},"status":{"conditions":[{"type":"PodScheduled","status":"False","reason":"Unschedulable"}]}})"),
        kLabel));
    CHECK_FALSE(is_between(*shared<api::Pod>(R"({"spec":{}})"), kLabel));
}

TEST_CASE("room: what pods of the same or a higher priority leave, less what is promised to others") {
    World world;
    const auto put = [&](const char* uid, const char* on, const char* cpu, int priority, const char* phase) {
        world.pods.put(json::parse(R"({"metadata":{"name":")" + std::string(uid) + R"(","namespace":"n","uid":")" +
                                   uid + R"("},"spec":{"nodeName":")" + on + R"(","priority":)" +
                                   std::to_string(priority) + R"(,"containers":[{"resources":{"requests":{"cpu":")" +
                                   cpu + R"("}}}]},"status":{"phase":")" + phase + "\"}}")
                           .as_object());
    };
    put("one", "n1", "3", 0, "Running");
    put("ended", "n1", "3", 0, "Succeeded");
    put("elsewhere", "n2", "4", 0, "Running");
    put("waits", "", "2", 0, "Pending");
    const auto n1 = node("n1", "a", true), n3 = node("n3", "a", true);
    auto pod = api::Pod(*world.pods.get("n/waits"));
    Promises promises;
    const auto has = [&](const api::Node& where) { return Rooms(world, promises).has(pod, where); };
    CHECK_FALSE(has(*n1));
    CHECK(has(*n3));
    pod.spec.priority = 1;
    CHECK(has(*n1));  // it would push the other one out
    pod.spec.preemption_policy = "Never";
    CHECK_FALSE(has(*n1));
    promises.make(*world.pods.get("n/waits"), "n3", 0);
    CHECK(has(*n3));  // the promise is its own
    pod.metadata.uid = "another";
    CHECK(has(*n3));
    pod.requests = {{"cpu", 2001}, {"pods", 1000}};
    CHECK_FALSE(has(*n3));
    promises.settle(world, 61 * kS);
    CHECK(has(*n3));
    pod.requests = {{"nvidia.com/gpu", 1000}};
    CHECK_FALSE(has(*n3));
}

TEST_CASE("mounts inside a claim's mount are found: the closest one around counts, and Kubernetes' own count, too") {
    const auto find = [](const std::string& mounts) {
        const json::object pod =
            json::parse(
                R"({"spec":{"volumes":[{"name":"d","csi":{"driver":"zcdp.io","volumeAttributes":{"claim":"llama"}}},{"name":"e","emptyDir":{}},{"name":"h","hostPath":{}}],
            "containers":[{"name":"c","volumeMounts":[)" +
                mounts + "]}]}}")
                .as_object();
        std::string out;
        for (const NestedMount& one : nested_mounts(pod))
            out += one.path + ">" + one.folder + (one.directory ? "/ " : " ");
        return out;
    };
    CHECK(find(R"({"name":"d","mountPath":"/data"},{"name":"e","mountPath":"/data/cache"})") == "/data/cache>cache/ ");
    CHECK(find(R"({"name":"d","mountPath":"/data/"},{"name":"e","mountPath":"/data//a/./b/"})") == "/data/a/b>a/b/ ");
    CHECK(find(R"({"name":"d","mountPath":"/data"},{"name":"e","mountPath":"/database"})").empty());
    CHECK(find(R"({"name":"d","mountPath":"/data/set"},{"name":"e","mountPath":"/data"})").empty());
    CHECK(
        find(
            R"({"name":"d","mountPath":"/data"},{"name":"e","mountPath":"/data/a"},{"name":"e","mountPath":"/data/a/b"})") ==
        "/data/a>a/ ");
    CHECK(find(R"({"name":"d","mountPath":"/data","subPath":"v1"},{"name":"e","mountPath":"/data/a"})") ==
          "/data/a>v1/a/ ");
    CHECK(
        find(
            R"({"name":"d","mountPath":"/data"},{"name":"e","subPath":"f","mountPath":"/data/a"},{"name":"h","mountPath":"/data/b"})") ==
        "/data/a>a /data/b>b ");
    CHECK(find(R"({"name":"d","mountPath":"/etc"})") ==
          "/etc/hostname>hostname /etc/hosts>hosts /etc/resolv.conf>resolv.conf ");
    CHECK(find(R"({"name":"e","mountPath":"/data"},{"name":"e","mountPath":"/data/a"})").empty());
}

TEST_CASE("the webhook warns of a mount inside a claim's and tells the volume, again and again the same") {
    const auto claim =
        shared<api::DatasetClaim>(R"({"metadata":{"name":"llama"},"spec":{"dataset":"set","mountPath":"/data"}})");
    json::object pod =
        json::parse(
            R"({"spec":{"volumes":[{"name":"e","emptyDir":{}}],"containers":[{"name":"c","volumeMounts":[{"name":"e","mountPath":"/data/cache"}]}]}})")
            .as_object();
    const auto warnings = mutate_pod(pod, {{claim, nullptr}}).value();
    REQUIRE(warnings.size() == 1);
    CHECK(warnings[0] ==
          "container c mounts volume e at /data/cache, inside /data, where claim llama shows a read-only dataset: the "
          "pod starts only if the dataset has the folder cache");
    const json::value& attributes = pod.at("spec").at("volumes").as_array().back().at("csi").at("volumeAttributes");
    const auto told = read_below(std::string(attributes.at("below").as_string()));
    REQUIRE(told.size() == 1);
    CHECK(told[0].path == "/data/cache");
    CHECK(told[0].claim_path == "/data");
    CHECK(told[0].remedy() ==
          "mount e elsewhere than below /data, or give the dataset a folder cache (one file in it is enough)");
    json::object again = pod;
    CHECK(mutate_pod(again, {{claim, nullptr}}).value() == warnings);
    CHECK(again == pod);
    CHECK(read_below("no list").empty());
    CHECK(read_below("[1,{}]").size() == 1);
}

TEST_CASE("what a tree has at a path: folders, files, nothing, and links as they lead") {
    const std::filesystem::path tree =
        std::filesystem::temp_directory_path() / ("zcdp-place-" + std::to_string(::getpid()));
    std::filesystem::create_directories(tree / "a/b");
    std::ofstream(tree / "file") << "x";
    std::filesystem::create_directory_symlink("a", tree / "to-a");
    std::filesystem::create_symlink("nothing", tree / "dangling");
    std::filesystem::create_directory_symlink("/etc", tree / "out");
    CHECK(place_in(tree, "a/b") == Place::folder);
    CHECK(place_in(tree, "to-a/b") == Place::folder);
    CHECK(place_in(tree, "file") == Place::other);
    CHECK(place_in(tree, "file/x") == Place::none);
    CHECK(place_in(tree, "dangling") == Place::none);
    CHECK(place_in(tree, "c") == Place::none);
    CHECK(place_in(tree, "out") == Place::folder);
    std::filesystem::remove_all(tree);
}

}  // namespace zcdp::services
