// Pods as controllers, clients and other webhooks write them: empty, null or odd where one would not expect it.
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "src/services/controller/webhook/mutate_pod.hpp"
#include "tests/support/doctest.hpp"

namespace zcdp::services {
namespace {

using namespace controller;

namespace json = boost::json;

json::object object(const std::string& text) { return json::parse(text).as_object(); }

std::shared_ptr<const api::DatasetClaim> claim(const std::string& selector) {
    return std::make_shared<const api::DatasetClaim>(
        api::from_json<api::DatasetClaim>(
            object(R"({"metadata":{"name":"llama","namespace":"n"},"spec":{"dataset":"llama","mountPath":"/data")" +
                   selector + "}}"))
            .value());
}

bool is_selected(const std::string& selector, const std::string& pod) {
    return !claims_for(object(pod), Objects<api::DatasetClaim>{claim(selector)}).empty();
}

}  // namespace

TEST_CASE("nulls in the place of lists and maps are as if they were not there, and the patch replaces them") {
    json::object pod = object(R"({"metadata":{"generateName":"job-","annotations":null,"labels":null},
        "spec":{"volumes":null,"initContainers":null,"affinity":null,"schedulingGates":null,"containers":[{"name":"c","volumeMounts":null}]}})");
    const json::object before = pod;
    auto waits = api::DatasetClaim(*claim(""));
    waits.spec.policy = api::ClaimPolicy::wait_for_data;
    REQUIRE(mutate_pod(pod, {{std::make_shared<const api::DatasetClaim>(waits), nullptr}}).has_value());
    CHECK(pod.at("spec").at("volumes").as_array().size() == 1);
    CHECK(pod.at("spec").at("containers").as_array()[0].at("volumeMounts").as_array().size() == 1);
    CHECK(pod.at("spec").at("schedulingGates").as_array().size() == 1);
    CHECK(pod.at("spec").at("initContainers").is_null());
    for (const json::value& step : pod_patch(before, pod))
        CHECK_MESSAGE(step.at("op") == json::value("replace"), json::serialize(step));
}

TEST_CASE("a pod without a name or labels is selected by what it has, in every form of a selector") {
    const std::string plain = R"({"metadata":{"generateName":"job-"},"spec":{"containers":[{"name":"c"}]}})";
    const std::string labelled =
        R"({"metadata":{"generateName":"job-","labels":{"app":"train","tier":""}},"spec":{"containers":[{"name":"c"}]}})";
    CHECK_FALSE(is_selected("", plain));                // no selector selects nothing
    CHECK(is_selected(R"(,"podSelector":{})", plain));  // an empty one everything, as everywhere in Kubernetes
    CHECK(is_selected(R"(,"podSelector":{"matchLabels":{"app":"train","tier":""}})", labelled));
    CHECK_FALSE(is_selected(R"(,"podSelector":{"matchLabels":{"app":"train"}})", plain));
    CHECK(is_selected(R"(,"podSelector":{"matchExpressions":[{"key":"app","operator":"In","values":["a","train"]}]})",
                      labelled));
    CHECK(is_selected(R"(,"podSelector":{"matchExpressions":[{"key":"app","operator":"NotIn","values":["train"]}]})",
                      plain));  // also what has no such label
    CHECK_FALSE(is_selected(
        R"(,"podSelector":{"matchExpressions":[{"key":"app","operator":"NotIn","values":["train"]}]})", labelled));
    CHECK(is_selected(R"(,"podSelector":{"matchExpressions":[{"key":"tier","operator":"Exists"}]})", labelled));
    CHECK(is_selected(R"(,"podSelector":{"matchExpressions":[{"key":"gpu","operator":"DoesNotExist"}]})", labelled));
    CHECK(is_selected(
        "",
        R"({"metadata":{"generateName":"job-"},"spec":{"containers":[{"name":"c"}],"volumes":[{"name":"v","csi":{"driver":"zcdp.io","readOnly":true,"volumeAttributes":{"claim":"llama"}}}]}})"));
}

TEST_CASE("a container's own subPath or read-only mount of another place is left as it is") {
    json::object pod = object(R"({"metadata":{"name":"p"},"spec":{"volumes":[{"name":"other","emptyDir":{}}],
        "containers":[{"name":"c","volumeMounts":[{"name":"other","mountPath":"/database","subPath":"x"}]}]}})");
    REQUIRE(mutate_pod(pod, {{claim(""), nullptr}}).has_value());
    const auto& mounts = pod.at("spec").at("containers").as_array()[0].at("volumeMounts").as_array();
    REQUIRE(mounts.size() == 2);  // "/database" does not lie below "/data"
    CHECK(mounts[0].at("subPath") == "x");
    CHECK(mounts[1].at("mountPath") == "/data");
}

}  // namespace zcdp::services
