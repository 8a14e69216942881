// AdmissionReviews in and out. (What is done to pods: pod_forms_test.cpp.)
#include "src/services/controller/webhook/webhook.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <set>

#include "tests/support/doctest.hpp"
#include "tests/support/sim_api.hpp"
#include "zcdp/base/base64.hpp"

namespace zcdp::test {
namespace {

using namespace zcdp::services::controller;

constexpr const char* kPod =
    R"({"metadata":{"name":"p","labels":{"app":"train"}},"spec":{"containers":[{"name":"c"}]}})";

struct Cluster {
    /// `container`: the only one that it wants to be mounted into; "": all.
    void claim(const std::string& name, const std::string& mount_path, const std::string& container = "") {
        json::object spec{{"dataset", "llama"},
                          {"mountPath", mount_path},
                          {"podSelector", json::parse(R"({"matchLabels":{"app":"train"}})")}};
        if (!container.empty()) spec["containers"] = json::array{json::value(container)};
        api.create(kube::resources::claims, "n",
                   {{"metadata", json::object{{"name", name}, {"namespace", "n"}}}, {"spec", std::move(spec)}}, "", "")
            .value();
    }
    json::object ask(const std::string& pod = kPod, const std::string& ns = "n") {
        clock.advance_ns(1'000'000);  // each request comes after what was listed for the one before
        const std::string text = json::serialize(
            json::object{{"kind", "AdmissionReview"},
                         {"request", json::object{{"uid", "u-1"}, {"namespace", ns}, {"object", json::parse(pod)}}}});
        const net::server::ControlResponse response = webhook.answer(text);
        CHECK(response.status == 200);
        const json::object review = json::parse(response.body).as_object();
        CHECK(review.at("apiVersion") == json::value("admission.k8s.io/v1"));
        CHECK(review.at("kind") == json::value("AdmissionReview"));
        CHECK(review.at("response").at("uid") == json::value("u-1"));
        return review.at("response").as_object();
    }
    /// The claims whose volumes the answer's patch adds.
    static std::set<std::string> claims_of(const json::object& response) {
        std::set<std::string> out;
        if (!response.contains("patch")) return out;
        CHECK(response.at("patchType") == json::value("JSONPatch"));
        const json::value patch = json::parse(from_base64(response.at("patch").as_string()).value());
        for (const json::value& step : patch.as_array())
            if (step.at("path") == json::value("/spec/volumes"))
                for (const json::value& volume : step.at("value").as_array())
                    out.emplace(volume.at("csi").at("volumeAttributes").at("claim").as_string());
        return out;
    }

    ManualClock clock{1'800'000'000'000'000'000};
    SeededRandom random{1};
    SimServer server{clock};
    SimApi api{server, random};
    Logger log{clock, 2, LogLevel::off, LogFormat::text};
    World world;
    Webhook webhook{api, world, clock, log};
};

using Names = std::set<std::string>;

}  // namespace

TEST_CASE("a pod that a claim selects gets its volume; one that none selects is let through as it is") {
    Cluster cluster;
    cluster.claim("llama", "/data");
    const json::object answer = cluster.ask();
    CHECK(answer.at("allowed") == json::value(true));
    CHECK(Cluster::claims_of(answer) == Names{"llama"});
    const json::object other = cluster.ask(R"({"metadata":{"name":"p"},"spec":{"containers":[{"name":"c"}]}})");
    CHECK(other.at("allowed") == json::value(true));
    CHECK_FALSE(other.contains("patch"));
}

TEST_CASE("a claim made just before the pod counts, though no cache has it yet") {
    Cluster cluster;
    CHECK(Cluster::claims_of(cluster.ask()).empty());
    cluster.claim("llama", "/data");
    CHECK(Cluster::claims_of(cluster.ask()) == Names{"llama"});
    cluster.claim("second", "/more");
    CHECK(Cluster::claims_of(cluster.ask()) == Names{"llama", "second"});
    cluster.server.remove("datasetclaims", "n/llama");
    CHECK(Cluster::claims_of(cluster.ask()) == Names{"second"});
}

TEST_CASE("while the API cannot be asked the caches serve") {
    Cluster cluster;
    cluster.claim("llama", "/data");
    SimWatch watch(cluster.server, "datasetclaims", cluster.world.claims);
    watch.relist();
    cluster.api.failure_rate = 1;
    CHECK(Cluster::claims_of(cluster.ask()) == Names{"llama"});
    CHECK(Cluster::claims_of(cluster.ask(kPod, "another namespace")).empty());
}

TEST_CASE("a clash is refused, and says between whom") {
    Cluster cluster;
    cluster.claim("first", "/data");
    cluster.claim("second", "/data");
    const json::object answer = cluster.ask();
    CHECK(answer.at("allowed") == json::value(false));
    CHECK_FALSE(answer.contains("patch"));
    const json::object& status = answer.at("status").as_object();
    CHECK(status.at("code") == json::value(422));
    CHECK(status.at("reason") == json::value("Invalid"));
    const std::string message(status.at("message").as_string());
    CHECK(message.find("zcdp: ") == 0);
    CHECK(message.find("first") != std::string::npos);
    CHECK(message.find("second") != std::string::npos);
}

TEST_CASE("what is no AdmissionReview is refused, and one without a pod or a namespace is let through") {
    Cluster cluster;
    cluster.claim("llama", "/data");
    for (const char* body : {"", "no JSON", "[]", "{}", R"({"request":null})", R"({"request":[1]})"}) {
        CHECK_MESSAGE(cluster.webhook.answer(body).status == 400, body);
    }
    for (const char* asked : {R"({"uid":"x"})", R"({"uid":"x","namespace":"n","object":null})",
                              R"({"uid":"x","object":{"metadata":{}}})"}) {
        const std::string text = std::string(R"({"request":)") + asked + "}";
        const net::server::ControlResponse response = cluster.webhook.answer(text);
        CHECK(response.status == 200);
        const json::value review = json::parse(response.body);
        CHECK(review.at("response").at("allowed") == json::value(true));
        CHECK(review.at("response").at("uid") == json::value("x"));
        CHECK_FALSE(review.at("response").as_object().contains("patch"));
    }
}

TEST_CASE("warnings are few and short, as the API server takes them") {
    Cluster cluster;
    const std::string absent(300, 'x');
    for (int i = 0; i < 12; ++i)
        cluster.claim("claim-" + std::to_string(i), "/data/" + std::to_string(i), absent + std::to_string(i));
    const json::object answer = cluster.ask();
    CHECK(answer.at("allowed") == json::value(true));
    REQUIRE(answer.contains("warnings"));
    CHECK(answer.at("warnings").as_array().size() == 8);
    for (const json::value& warning : answer.at("warnings").as_array()) {
        CHECK(warning.as_string().size() == 250);
        CHECK(warning.as_string().starts_with("zcdp: DatasetClaim claim-"));
    }
}

}  // namespace zcdp::test
