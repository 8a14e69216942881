// The controller's gauges: a series for each dataset, within a bound, and what cannot be read.
#include <boost/json/parse.hpp>

#include "src/services/controller/dataset_metrics.hpp"
#include "tests/support/doctest.hpp"

namespace zcdp::services::controller {
namespace {

void put(kube::CacheSink& cache, const std::string& text) {
    cache.put(std::move(boost::json::parse(text).as_object()));
}

bool has_line(const std::string& text, const std::string& line) {
    return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

}  // namespace

TEST_CASE("each dataset has its gauges, with the pods that use it; what is beyond the bound is a number") {
    World world;
    put(world.datasets,
        R"({"metadata":{"namespace":"team","name":"llama","uid":"1"},"spec":{"source":{"backend":"s3"}},)"
        R"("status":{"nodesReady":2,"nodesWanted":3,"bytes":100,"originBytes":150,"peerBytes":7,"reusedBytes":50}})");
    put(world.datasets, R"({"metadata":{"namespace":"team","name":"other","uid":"2"}})");
    put(world.claims, R"({"metadata":{"namespace":"team","name":"c"},"spec":{"dataset":"llama"}})");
    for (const char* pod : {R"("uid":"p1"},"status":{"phase":"Running"}})", R"("uid":"p2"},"status":{}})",
                            R"("uid":"p3"},"status":{"phase":"Succeeded"}})"})
        put(world.pods, R"({"metadata":{"namespace":"team","name":")" + std::string(pod + 7, 2) +
                            R"(","annotations":{"zcdp.io/claims":"c"},)" + pod);
    const std::string text = dataset_metrics(world);
    const std::string labels = R"({namespace="team",dataset="llama",backend="s3"} )";
    CHECK(has_line(text, "zcdp_dataset_nodes_ready" + labels + "2"));
    CHECK(has_line(text, "zcdp_dataset_nodes_wanted" + labels + "3"));
    CHECK(has_line(text, "zcdp_dataset_pods" + labels + "2"));
    CHECK(has_line(text, "zcdp_dataset_bytes" + labels + "100"));
    CHECK(has_line(text, "zcdp_dataset_origin_bytes" + labels + "150"));
    CHECK(has_line(text, "zcdp_dataset_peer_bytes" + labels + "7"));
    CHECK(has_line(text, "zcdp_dataset_reused_bytes" + labels + "50"));
    CHECK(has_line(text, R"(zcdp_dataset_pods{namespace="team",dataset="other",backend=""} 0)"));
    CHECK(has_line(text, "zcdp_datasets_without_series 0"));
    const std::string bounded = dataset_metrics(world, 1);
    CHECK(bounded.find("dataset=\"other\"") == std::string::npos);
    CHECK(has_line(bounded, "zcdp_datasets_without_series 1"));
}

TEST_CASE("what all nodes read from the origin of the present revision is a part of its size") {
    World world;
    put(world.datasets,
        R"({"metadata":{"namespace":"n","name":"d","uid":"1"},"status":{"revision":"new","bytes":1000}})");
    put(world.datasets, R"({"metadata":{"namespace":"n","name":"unlisted","uid":"2"}})");
    int node = 0;
    for (const char* held :
         {R"("revision":"new"},"status":{"originBytes":600}})", R"("revision":"new"},"status":{"originBytes":430}})",
          R"("revision":"old"},"status":{"originBytes":1000}})"})
        put(world.node_datasets, R"({"metadata":{"name":"nd-)" + std::to_string(++node) +
                                     R"("},"spec":{"dataset":{"namespace":"n","name":"d","uid":"1"},)" + held);
    const std::string text = dataset_metrics(world);
    CHECK(has_line(text, R"(zcdp_origin_budget_ratio{namespace="n",dataset="d",backend=""} 1.0300)"));
    CHECK(has_line(text, R"(zcdp_origin_budget_ratio{namespace="n",dataset="unlisted",backend=""} 0.0000)"));
}

TEST_CASE("an object that cannot be read is a number among the gauges") {
    World world;
    put(world.datasets, R"({"metadata":{"namespace":"n","name":"broken"},"spec":{"paused":"perhaps"}})");
    CHECK(has_line(dataset_metrics(world), R"(zcdp_unreadable_objects{kind="datasets"} 1)"));
    CHECK(has_line(dataset_metrics(world), R"(zcdp_unreadable_objects{kind="pods"} 0)"));
}

}  // namespace zcdp::services::controller
