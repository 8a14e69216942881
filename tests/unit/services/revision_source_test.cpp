// A revision is fetched from where it was listed, whatever the spec says by then, and what new pods see stays whole
// meanwhile.
#include <boost/json/parse.hpp>

#include "src/services/controller/decide/revision_source.hpp"
#include "tests/support/doctest.hpp"
#include "zcdp/api/core.hpp"

namespace zcdp::services {
namespace {

using namespace controller;

namespace json = boost::json;

const Revision kFirst(std::string(64, 'a')), kSecond(std::string(64, 'b'));
const std::string kSnapshot(64, 'c');
constexpr int64_t kNow = 1'800'000'000;

/// A Dataset with version v1, listed and Ready on node n0, wanted on both nodes; `decide` carries the status on.
struct Cluster {
    Cluster() {
        dataset.metadata.uid = "d1", dataset.metadata.namespace_ = "ns", dataset.metadata.name = "set",
        dataset.metadata.finalizers = {api::kInUseFinalizer};
        dataset.spec.source.backend = "b", dataset.spec.source.prefix = "set", dataset.spec.source.version = "v1",
        dataset.spec.source.include = {"*.bin"};
        dataset.spec.placement.replicas.text = "All";
        backend.metadata.name = "b", backend.spec.type = "s3", backend.spec.bucket = "data",
        backend.spec.allowed_namespaces = {"ns"};
        add_node("n0");
        listed(kFirst);
        const api::NodeDataset first = decide().create.at(0);
        hold(first, api::Phase::ready, kSnapshot);
        CHECK(decide().create.empty());
    }
    void add_node(const std::string& name) {
        nodes.push_back(std::make_shared<const api::Node>(
            api::from_json<api::Node>(json::parse(R"({"metadata":{"name":")" + name +
                                                  R"("},"status":{"conditions":[{"type":"Ready","status":"True"}]}})"))
                .value()));
    }
    Objects<api::StorageBackend> backends() const { return {std::make_shared<const api::StorageBackend>(backend)}; }
    std::string key() const { return source_key(resolve_source(dataset, backends())); }
    void listed(const Revision& revision) { listing = {key(), false, kNow, std::nullopt, revision, 2, 10}; }
    void not_there() {
        listing = {key(),
                   false,
                   kNow,
                   Error(ErrorKind::not_found, "there is no object below this prefix",
                         "s3://data/set/" + dataset.spec.source.version + "/"),
                   {},
                   0,
                   0};
    }
    void hold(api::NodeDataset object, api::Phase phase, const std::string& snapshot = "") {
        object.status.phase = phase, object.status.snapshot = snapshot;
        held.push_back(std::make_shared<const api::NodeDataset>(std::move(object)));
    }
    DatasetDecision decide() {
        DatasetView view{
            dataset,   resolve_source(dataset, backends()), {}, {}, nodes, held, listing, {}, {}, {}, {}, kNow,
            backends()};
        view.load = [](const std::string&) { return uint64_t{0}; };
        view.has_agent = [](const std::string&) { return true; };
        view.holding = [](const api::Pod&, const std::string&) { return PodHolding(); };
        DatasetDecision out = decide_dataset(view);
        dataset.status = out.status;
        return out;
    }
    const api::Condition& degraded() const { return *api::find_condition(dataset.status.conditions, "Degraded"); }

    api::Dataset dataset;
    api::StorageBackend backend;
    Objects<api::Node> nodes;
    Objects<api::NodeDataset> held;
    ListingOutcome listing;
};

}  // namespace

TEST_CASE("a version whose folder is not there leaves the present revision whole, also on a node that joins") {
    Cluster cluster;
    cluster.dataset.spec.source.version = "v22", cluster.dataset.spec.source.include = {"*.json"};
    cluster.not_there();
    cluster.add_node("n1");
    for (const bool restarted : {false, true}) {  // a controller that knows of no listing yet
        INFO("restarted ", restarted);
        if (restarted) cluster.listing = {};
        const DatasetDecision decision = cluster.decide();
        CHECK(decision.status.revision == kFirst);
        CHECK(decision.status.phase == api::Phase::syncing);
        REQUIRE(decision.create.size() == 1);
        const api::NodeDatasetSpec& order = decision.create[0].spec;
        CHECK(order.node == "n1");
        CHECK(order.revision == kFirst);
        CHECK(order.source == api::NodeDatasetSource{"b", "set/v1/", {"*.bin"}, {}, 2, 10});
        if (restarted) continue;
        CHECK(cluster.degraded().reason == api::Reason::not_found);
        CHECK(cluster.degraded().message.find("s3://data/set/v22/") != std::string::npos);
    }
}

TEST_CASE("a node's own failure does not hide the wrong prefix") {
    Cluster cluster;
    api::NodeDataset failing = *cluster.held[0];
    failing.status.last_error = api::LastError{api::Reason::no_space, "the disk is full", "", "", 1};
    cluster.held.clear();
    cluster.hold(failing, api::Phase::failed);
    cluster.dataset.spec.source.version = "v22";
    cluster.not_there();
    cluster.decide();
    CHECK(cluster.degraded().message.find("s3://data/set/v22/") != std::string::npos);
    CHECK(cluster.degraded().message.find("the disk is full") != std::string::npos);
}

TEST_CASE("the present revision goes on also when the spec names a backend that is not there") {
    Cluster cluster;
    cluster.dataset.spec.source.backend = "typo";
    cluster.add_node("n1");
    const DatasetDecision decision = cluster.decide();
    REQUIRE(decision.create.size() == 1);
    CHECK(decision.create[0].spec.source.backend == "b");
    CHECK(cluster.degraded().reason == api::Reason::backend_not_found);
}

TEST_CASE("a backend that no longer allows the namespace gives it nothing, also of revisions that it gave before") {
    Cluster cluster;
    cluster.backend.spec.allowed_namespaces = {"others"};
    cluster.add_node("n1");
    CHECK(cluster.decide().create.empty());
    CHECK(cluster.degraded().reason == api::Reason::namespace_not_allowed);
    CHECK_FALSE(source_of_revision(cluster.dataset, kFirst, cluster.held, cluster.backends()).backend);
}

TEST_CASE("what an older version wrote as one text is read as the source that it was") {
    Cluster cluster;
    cluster.dataset.status.history = {
        api::DatasetVersion{kFirst, kSnapshot, 2, 10, "", "b/set/v1/\n+*.bin\n-tmp/**", "", "", {}, {}}};
    cluster.dataset.spec.source.version = "v22";
    cluster.not_there();
    cluster.add_node("n1");
    const ResolvedSource served = source_of_revision(cluster.dataset, kFirst, {}, cluster.backends());
    CHECK(served.prefix == "set/v1/");
    CHECK(served.exclude == std::vector<std::string>{"tmp/**"});
    const DatasetDecision decision = cluster.decide();
    REQUIRE(decision.create.size() == 1);
    CHECK(decision.create[0].spec.source == api::NodeDatasetSource{"b", "set/v1/", {"*.bin"}, {"tmp/**"}, 2, 10});
    CHECK(decision.status.history[0].prefix == "set/v1/");
}

TEST_CASE(
    "an object that waits with the prefix of another version is sent to its own; one that is Ready is left alone") {
    Cluster cluster;
    api::NodeDataset wrong = *cluster.held[0];
    wrong.spec.node = "n1", wrong.spec.source.prefix = "set/v22/";
    cluster.add_node("n1");
    cluster.hold(wrong, api::Phase::failed);
    const DatasetDecision decision = cluster.decide();
    REQUIRE(decision.redirect.size() == 1);
    CHECK(decision.redirect[0].object->spec.node == "n1");
    CHECK(decision.redirect[0].source.prefix == "set/v1/");
    cluster.held.pop_back();
    cluster.hold(wrong, api::Phase::ready, kSnapshot);
    CHECK(cluster.decide().redirect.empty());
}

TEST_CASE("what a dataset says of peers is told to its nodes, also to those that have it") {
    Cluster cluster;
    CHECK(cluster.decide().redirect.empty());
    cluster.dataset.spec.transfer.peers = api::PeerUse::never;
    cluster.dataset.spec.transfer.origin_budget_percent = 120;
    cluster.add_node("n1");
    DatasetDecision decision = cluster.decide();
    REQUIRE(decision.redirect.size() == 1);
    CHECK(decision.redirect[0].transfer.peers == api::PeerUse::never);
    CHECK(decision.redirect[0].source == cluster.held[0]->spec.source);
    REQUIRE(decision.create.size() == 1);
    CHECK(decision.create[0].spec.transfer.peers == api::PeerUse::never);
    CHECK(decision.create[0].spec.transfer.origin_budget_percent == 120);
}

TEST_CASE("nodes that are told at once to fetch a revision are told how many they are") {
    Cluster cluster;
    cluster.add_node("n1");
    CHECK(cluster.decide().create.at(0).spec.fetching_nodes == 1);
    cluster.add_node("n2");
    const DatasetDecision decision = cluster.decide();
    REQUIRE(decision.create.size() == 2);
    for (const api::NodeDataset& order : decision.create) CHECK(order.spec.fetching_nodes == 2);
}

TEST_CASE("a listing is made again from where its revision was listed, also when the history has lost it") {
    Cluster cluster;
    cluster.dataset.spec.source.version = "v22";
    CHECK(source_of_revision(cluster.dataset, kFirst, {}, cluster.backends()).prefix == "set/v1/");
    CHECK(source_of_revision(cluster.dataset, kSecond, {}, cluster.backends()).prefix == "set/v22/");
    api::NodeDataset other = *cluster.held[0];
    other.spec.revision = kSecond, other.spec.source.prefix = "set/v0/";
    cluster.hold(other, api::Phase::pending);
    CHECK(source_of_revision(cluster.dataset, kSecond, cluster.held, cluster.backends()).prefix == "set/v0/");
}

TEST_CASE("going back to an older snapshot: fetched from its own folder, and new pods see it once it is somewhere") {
    Cluster cluster;
    cluster.dataset.spec.source.version = "v2";
    cluster.listed(kSecond);
    api::NodeDataset second = cluster.decide().create.at(0);
    CHECK(second.spec.source.prefix == "set/v2/");
    cluster.held.clear();  // v1 was evicted meanwhile
    cluster.hold(second, api::Phase::ready, std::string(64, 'd'));
    CHECK(cluster.decide().status.revision == kSecond);
    cluster.dataset.spec.snapshot = kSnapshot;
    cluster.add_node("n1");
    DatasetDecision decision = cluster.decide();
    CHECK(decision.status.revision == kSecond);  // v1 may be gone from the origin: what is there stays
    REQUIRE(decision.create.size() == 2);
    for (const api::NodeDataset& order : decision.create) CHECK(order.spec.source.prefix == "set/v1/");
    cluster.hold(decision.create[0], api::Phase::ready, kSnapshot);
    decision = cluster.decide();
    CHECK(decision.status.revision == kFirst);
    CHECK(decision.status.snapshot == kSnapshot);
}

TEST_CASE(
    "the history drops the oldest, never what new pods see or what spec.snapshot names, and does not outgrow an "
    "object") {
    Cluster cluster;
    cluster.dataset.spec.source.include = std::vector<std::string>(100, std::string(1000, 'g'));
    for (int i = 0; i < 60; ++i) {
        cluster.dataset.spec.source.version = "w" + std::to_string(i);
        cluster.listed(Revision(std::string(62, 'e') + (i < 10 ? "0" : "") + std::to_string(i)));
        CHECK(cluster.decide().status.revision == kFirst);  // none of them is Ready anywhere
        cluster.dataset.spec.snapshot = i < 30 ? "" : kSnapshot;
    }
    size_t bytes = 0;
    for (const auto& version : cluster.dataset.status.history)
        for (const std::string& glob : version.include) bytes += glob.size();
    CHECK(bytes <= (300 << 10));
    CHECK(find_version(cluster.dataset.status, kFirst));
    CHECK(cluster.dataset.status.history.front().source.starts_with("b/set/w59/"));
}

TEST_CASE("the same revision in another folder keeps its snapshot, and waiting nodes are sent there") {
    Cluster cluster;
    cluster.dataset.spec.source.version = "copy";
    cluster.listed(kFirst);
    api::NodeDataset waiting = *cluster.held[0];
    waiting.spec.node = "n1";
    cluster.add_node("n1");
    cluster.hold(waiting, api::Phase::syncing);
    const DatasetDecision decision = cluster.decide();
    CHECK(decision.status.snapshot == kSnapshot);
    CHECK(decision.status.history.size() == 1);
    REQUIRE(decision.redirect.size() == 1);
    CHECK(decision.redirect[0].source.prefix == "set/copy/");
}

}  // namespace zcdp::services
