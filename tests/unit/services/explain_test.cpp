// `zcdp explain` and `zcdp status`, of objects in an API server in memory.
#include <boost/json/parse.hpp>

#include "tests/support/doctest.hpp"
#include "tests/support/sim_api.hpp"
#include "zcdp/services/cluster_view.hpp"

namespace zcdp::services {
namespace {

struct Cluster {
    void put(const std::string& plural, const std::string& text) {
        server.put(plural, boost::json::parse(text).as_object());
    }
    void put_held(const std::string& name, const std::string& node, const std::string& peers) {
        put("nodedatasets", R"({"metadata":{"name":")" + name + R"("},"spec":{"node":")" + node +
                                R"(","dataset":{"namespace":"n","name":"d","uid":"1"}},)" +
                                R"("status":{"phase":"Ready","peers":)" + peers + "}}");
    }
    ManualClock clock{0};
    SeededRandom random{1};
    test::SimServer server{clock};
    test::SimApi api{server, random};
};

}  // namespace

TEST_CASE("of a dataset it is explained how each node got it from others; status counts them") {
    Cluster cluster;
    cluster.put("datasets", R"({"metadata":{"namespace":"n","name":"d","uid":"1"},"status":{"revision":"r",)"
                            R"("conditions":[{"type":"Listed","status":"True"},)"
                            R"({"type":"Ready","status":"True","message":"on 2 of 2 nodes"}]}})");
    cluster.put_held("nd-1", "b",
                     R"({"neighbours":2,"pieces":40,"owned":12,"troubled":[{"node":"a","reason":"slow"}]})");
    cluster.put_held("nd-2", "a", R"({"neighbours":1,"pieces":40,"compared":1})");
    cluster.put_held("nd-3", "c", "{}");
    const auto why = explain(cluster.api, "dataset", "n", "d");
    REQUIRE(why);
    CHECK(why->fine);
    CHECK(why->peers ==
          std::vector<std::string>{"node a: 1 neighbour; of 40 pieces from the origin: 1 to compare",
                                   "node b: 2 neighbours; of 40 pieces from the origin: 12 as their owner; a is slow"});
    const auto status = cluster_status(cluster.api, "");
    REQUIRE(status);
    REQUIRE(status->datasets.size() == 1);
    REQUIRE(status->datasets[0].nodes.size() == 3);
    CHECK(status->datasets[0].nodes[1].neighbours == 2);
    CHECK(status->datasets[0].nodes[1].troubled == 1);
}

TEST_CASE("of a node it is explained with whom it got each dataset") {
    Cluster cluster;
    cluster.put("nodes", R"({"metadata":{"name":"a"},"status":{"conditions":[{"type":"Ready","status":"True"}]}})");
    cluster.put("csinodes", R"({"metadata":{"name":"a"},"spec":{"drivers":[{"name":"zcdp.io","nodeID":"a"}]}})");
    cluster.put_held("nd-1", "a", R"({"neighbours":3,"pieces":7,"takenOver":2,"lateOwners":["b"]})");
    cluster.put_held("nd-2", "b", R"({"neighbours":3,"pieces":7})");
    const auto why = explain(cluster.api, "node", "", "a");
    REQUIRE(why);
    CHECK(why->fine);
    CHECK(why->peers ==
          std::vector<std::string>{"n/d: 3 neighbours; of 7 pieces from the origin: 2 in place of b, which was late"});
}

}  // namespace zcdp::services
