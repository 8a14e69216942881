// A Dataset that the controller cannot read is there all the same: nobody's data goes for it.
#include <boost/json/parse.hpp>

#include "src/services/controller/reconcile/reconcile.hpp"
#include "tests/support/doctest.hpp"
#include "tests/support/sim_api.hpp"
#include "zcdp/kube/metrics.hpp"

namespace zcdp::services::controller {
namespace {

struct NoLister final : Lister {
    void start(const api::Dataset&, const ResolvedSource&) override {}
    ListingOutcome outcome(const std::string&) const override { return {}; }
    void forget(const std::string&) override {}
    void forget_outcomes() override {}
    Result<std::shared_ptr<Fd>> listing(const api::Dataset&, const ResolvedSource&, const Revision&) override {
        return Error(ErrorKind::not_found, "there are no listings here");
    }
};

kube::json::object object(const std::string& text) { return boost::json::parse(text).as_object(); }

}  // namespace

TEST_CASE("the NodeDatasets of a Dataset that cannot be read stay; they go when it is gone") {
    ManualClock clock(0);
    SeededRandom random(1);
    Metrics metrics;
    Logger log(clock, 2, LogLevel::off, LogFormat::text);
    test::SimServer server(clock);
    test::SimApi api(server, random);
    World world;
    world.report_unreadable(log, metrics);
    NoLister lister;
    kube::EventRecorder events(api, "test", "test", clock, random, log);
    Reconciler reconciler({api, world, lister, events, clock, metrics, log, [] { return true; }, [] {}});

    world.node_datasets.put(server.make(
        "nodedatasets",
        object(
            R"({"metadata":{"name":"nd"},"spec":{"node":"n","dataset":{"namespace":"team","name":"set","uid":"u"}}})")));
    const auto broken =
        object(R"({"metadata":{"namespace":"team","name":"set","uid":"u"},"spec":{"paused":"perhaps"}})");
    world.datasets.begin_replace();
    world.datasets.put(kube::json::object(broken));
    world.datasets.end_replace();
    CHECK(metrics.counter(kube::metric::unreadable).value() == 1);
    CHECK(reconciler.retire_ownerless().has_value());
    CHECK(server.find("nodedatasets", "nd") != nullptr);
    world.datasets.erase(broken);
    CHECK(reconciler.retire_ownerless().has_value());
    CHECK(server.find("nodedatasets", "nd") == nullptr);
}

}  // namespace zcdp::services::controller
