// Reading and writing: goldens that come back as they were, and what is not taken.
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "tests/support/doctest.hpp"
#include "zcdp/api/agent.hpp"
#include "zcdp/api/core.hpp"
#include "zcdp/api/listing.hpp"
#include "zcdp/api/names.hpp"
#include "zcdp/api/types.hpp"

namespace zcdp::api {
namespace {

template <class T>
void round_trip(const char* golden) {
    const json::value value = json::parse(golden);
    const auto parsed = from_json<T>(value);
    REQUIRE(parsed.has_value());
    CHECK(json::serialize(to_json(*parsed)) == json::serialize(value));
}

template <class T>
std::string refusal(const char* text) {
    const auto parsed = from_json<T>(json::parse(text));
    return parsed ? "" : parsed.error().what();
}

}  // namespace

TEST_CASE("states: each word is read as its value and written as it was; an unknown one is kept") {
    const auto every_word = []<class E>(E) {
        for (size_t i = 0; i < std::size(Spelling<E>::words); ++i) {
            const auto word = Word<E>::parse(Spelling<E>::words[i]);
            CHECK(word == static_cast<E>(i));
            CHECK(word.text() == Spelling<E>::words[i]);
            CHECK(word.empty() == (i == 0));
        }
        const auto newer = Word<E>::parse("OfANewerVersion");
        CHECK(newer == E::other);
        CHECK(newer.text() == "OfANewerVersion");
        CHECK(newer != Word<E>::parse("OfAnother"));
        CHECK_FALSE(newer.empty());
    };
    every_word(Phase{}), every_word(PodPhase{}), every_word(Wanted{}), every_word(ClaimPolicy{});
    every_word(PeerUse{}), every_word(Replicas{}), every_word(ConditionStatus{}), every_word(Reason{});
    round_trip<DatasetClaimSpec>(R"({"policy":"PreferNearby"})");
    round_trip<NodeDatasetStatus>(R"({"phase":"Warming"})");
    round_trip<Condition>(R"({"type":"Ready","status":"Perhaps","reason":"OfANewerVersion"})");
    CHECK_FALSE(from_json<NodeDatasetStatus>(json::parse(R"({"phase":7})")));
}

TEST_CASE("placement.replicas: a number, all, or on demand") {
    const auto wanted = [](const char* text) { return DatasetPlacement{{}, {text}}.replicas_wanted(); };
    CHECK(wanted("3") == 3);
    CHECK(wanted("All") == UINT64_MAX);
    for (const char* none : {"", "OnDemand", "0", "Some", "-1"}) CHECK(wanted(none) == 0);
}

TEST_CASE("a Dataset with every field comes back as it was") {
    round_trip<Dataset>(
        R"({"metadata":{"name":"d","namespace":"n","uid":"u","resourceVersion":"7","generation":3,"creationTimestamp":"2026-01-02T03:04:05Z",
        "labels":{"a":"b"},"annotations":{"c":"d"},"finalizers":["zcdp.io/in-use"],"ownerReferences":[{"apiVersion":"v1","kind":"Node","name":"x","uid":"y"}]},
        "spec":{"source":{"backend":"b","prefix":"p/","version":"v2","include":["*.bin"],"exclude":["tmp/"]},"placement":{"nodeSelector":{"gpu":"a100"},"replicas":2},
        "retention":{"pinned":true,"ttl":"72h","keepSnapshots":0},"refresh":{"interval":"1h"},"transfer":{"peers":"Never","originBudgetPercent":110},"snapshot":"00","paused":true},
        "status":{"observedGeneration":3,"phase":"Ready","revision":"r","snapshot":"s","objects":0,"bytes":5,"size":"5 B","ready":"1/1","nodesReady":1,"nodesWanted":1,
        "originBytes":5,"progress":"10%","lastListed":"t","history":[{"revision":"r","snapshot":"s","objects":1,"bytes":5,"listed":"t","source":"b/p/","backend":"b","prefix":"p/","include":["*.bin"],"exclude":["tmp/**"]}],
        "conditions":[{"type":"Ready","status":"True","observedGeneration":3,"lastTransitionTime":"t","reason":"Ready","message":"m"}]}})");
}

TEST_CASE("replicas may be a number or a word") {
    CHECK(from_json<DatasetPlacement>(json::parse(R"({"replicas":3})")).value().replicas.text == "3");
    CHECK(from_json<DatasetPlacement>(json::parse(R"({"replicas":"All"})")).value().replicas.text == "All");
    round_trip<DatasetPlacement>(R"({"replicas":"OnDemand"})");
}

TEST_CASE("an optional that is set is written, also when it is zero; what is empty is left out") {
    DatasetStatus status;
    CHECK(json::serialize(to_json(status)) == "{}");
    status.bytes = 0;
    CHECK(json::serialize(to_json(status)) == R"({"bytes":0})");
}

TEST_CASE("null is absent, unknown members are passed over, wrong kinds are refused with their path") {
    CHECK(from_json<ObjectMeta>(json::parse(R"({"name":"x","creationTimestamp":null,"managedFields":[{"a":1}]})"))
              .value()
              .name == "x");
    CHECK(refusal<Dataset>(R"({"spec":{"source":{"prefix":7}}})") == "spec.source.prefix is not text");
    CHECK(refusal<Dataset>(R"({"spec":{"retention":{"keepSnapshots":-1}}})") ==
          "spec.retention.keepSnapshots is not a whole number");
    CHECK(refusal<Dataset>(R"({"spec":[]})") == "spec is not an object");
    CHECK(refusal<Dataset>(R"({"status":{"conditions":{}}})") == "status.conditions is not a list");
}

TEST_CASE("the agent's socket: a golden a message") {
    round_trip<SyncRequest>(
        R"({"source":"s3://b/","endpoint":"http://h","path_style":true,"credentials":{"AWS_ACCESS_KEY_ID":"k","AWS_SECRET_ACCESS_KEY":"s"},"sha256":"00","include":["a"],"connections":4})");
    round_trip<SyncLine>(R"({"progress":{"phase":2,"bytes_total":10,"bytes_done":5}})");
    round_trip<SyncLine>(R"({"result":{"snapshot":"s","path":"/p","objects":1,"milliseconds":12}})");
    const Error error(ErrorKind::denied, "what", "object", "hint");
    const Error back = from_wire(to_wire(error));
    CHECK(back.kind() == ErrorKind::denied);
    CHECK(back.line() == error.line());
    CHECK(from_wire({"no_such_kind", "w", "", ""}).kind() == ErrorKind::failed);
}

TEST_CASE("a listing's lines: goldens, and what is refused") {
    const ListingEntry file{"a/b \"c\"", Tag("tag"), "", "", 12, true}, link{"l", {}, "link", "a", 0, false};
    CHECK(listing_line(file) == "{\"p\":\"a/b \\\"c\\\"\",\"s\":12,\"t\":\"tag\",\"x\":true}\n");
    CHECK(*parse_listing_line(R"({"p":"a/b \"c\"","s":12,"t":"tag","x":true})").value().entry == file);
    CHECK(*parse_listing_line(R"({"p":"l","k":"link","l":"a"})").value().entry == link);
    CHECK(parse_listing_line(listing_end(3).substr(0, 9)).value().count == 3);
    for (const char* bad : {"", "{", "[]", "{}", R"({"p":"a","k":"socket"})", R"({"p":"a","s":-1})", R"({"p":7})"}) {
        INFO(bad);
        CHECK_FALSE(parse_listing_line(bad).has_value());
    }
}

TEST_CASE("names are hashes of the right length, and differ where they must") {
    const std::string name = node_dataset_name("n", "u", Revision("r"));
    CHECK(name.size() == 35);
    CHECK(name != node_dataset_name("nu", "", Revision("r")));  // the parts are separated
    CHECK(name == node_dataset_name("n", "u", Revision("r")));
    CHECK(data_label("u").size() == 26);
    CHECK(volume_name(std::string(253, 'x')).size() == 15);
}

TEST_CASE("a condition's transition time moves only with its status") {
    std::vector<Condition> conditions;
    CHECK(set_condition(conditions, {"Ready", ConditionStatus::no, 1, "", Word<Reason>::parse("A"), "m"}, "t1"));
    CHECK_FALSE(set_condition(conditions, {"Ready", ConditionStatus::no, 1, "", Word<Reason>::parse("A"), "m"}, "t2"));
    CHECK(set_condition(conditions, {"Ready", ConditionStatus::no, 1, "", Word<Reason>::parse("B"), "m"}, "t3"));
    CHECK(conditions[0].last_transition_time == "t1");
    CHECK(set_condition(conditions, {"Ready", ConditionStatus::yes, 1, "", Word<Reason>::parse("C"), ""}, "t4"));
    CHECK(conditions[0].last_transition_time == "t4");
}

TEST_CASE("selectors match as Kubernetes does") {
    const StringMap labels{{"a", "1"}, {"b", "x"}};
    const auto matches = [&](const char* selector) {
        return from_json<LabelSelector>(json::parse(selector)).value().matches(labels);
    };
    CHECK(matches("{}"));
    CHECK(matches(R"({"matchLabels":{"a":"1"}})"));
    CHECK_FALSE(matches(R"({"matchLabels":{"a":"2"}})"));
    CHECK(matches(
        R"({"matchExpressions":[{"key":"b","operator":"In","values":["x","y"]},{"key":"c","operator":"DoesNotExist"},{"key":"c","operator":"NotIn","values":["z"]}]})"));
    CHECK_FALSE(matches(R"({"matchExpressions":[{"key":"b","operator":"NotIn","values":["x"]}]})"));
    CHECK_FALSE(matches(R"({"matchExpressions":[{"key":"b","operator":"Sometimes"}]})"));
    CHECK(SelectorExpression{"a", "Gt", {"0"}}.matches(labels));
    CHECK_FALSE(SelectorExpression{"b", "Gt", {"0"}}.matches(labels));
}

TEST_CASE("a pod's claims come from its annotation and its own volumes, each once") {
    const auto pod =
        from_json<Pod>(json::parse(R"({"metadata":{"annotations":{"zcdp.io/claims":"b,a,,"}},"spec":{"volumes":[
        {"name":"v","csi":{"driver":"zcdp.io","volumeAttributes":{"claim":"c"}}},{"name":"w","csi":{"driver":"zcdp.io","volumeAttributes":{"claim":"a"}}},
        {"name":"x","csi":{"driver":"other","volumeAttributes":{"claim":"no"}}},{"name":"y"}]}})"))
            .value();
    CHECK(pod.claims() == std::vector<std::string>{"a", "b", "c"});
}

TEST_CASE("a pod fits a node by its selector, affinity and tolerations") {
    const auto node =
        from_json<Node>(
            json::parse(
                R"({"metadata":{"name":"n","labels":{"z":"1"}},"spec":{"taints":[{"key":"t","value":"v","effect":"NoSchedule"}]}})"))
            .value();
    const auto fits = [&](const char* spec, const char* ignored = "") {
        Pod pod;
        pod.spec = from_json<PodSpec>(json::parse(spec)).value();
        return pod_fits(pod, node, ignored);
    };
    CHECK_FALSE(fits("{}"));  // the taint
    const std::string tolerant = R"("tolerations":[{"key":"t","operator":"Equal","value":"v","effect":"NoSchedule"}])";
    CHECK(fits(("{" + tolerant + "}").c_str()));
    CHECK(fits(R"({"tolerations":[{"operator":"Exists"}]})"));
    CHECK_FALSE(fits(("{" + tolerant + R"(,"nodeSelector":{"z":"2"}})").c_str()));
    const std::string affinity =
        R"(,"affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[)";
    CHECK(fits(
        ("{" + tolerant + affinity + R"({"matchFields":[{"key":"metadata.name","operator":"In","values":["n"]}]}]}}}})")
            .c_str()));
    CHECK_FALSE(fits(("{" + tolerant + affinity + R"({}]}}}})").c_str()));  // an empty term selects nothing
    const std::string ours = "{" + tolerant + affinity +
                             R"({"matchExpressions":[{"key":"d.zcdp.io/x","operator":"In","values":["ready"]}]}]}}}})";
    CHECK_FALSE(fits(ours.c_str()));
    CHECK(fits(ours.c_str(), "d.zcdp.io/"));
}

}  // namespace zcdp::api
