// What zcdp set up stays as it has to be, whoever changes it: certificates, the webhook's configuration, the agents'
// rights.
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "src/services/backend/backend_access.hpp"
#include "src/services/controller/decide/decide_small.hpp"
#include "src/services/controller/reconcile/reconcile.hpp"
#include "src/services/controller/upkeep/keeper.hpp"
#include "src/services/install/manifests.hpp"
#include "tests/support/doctest.hpp"
#include "tests/support/sim_api.hpp"
#include "zcdp/base/base64.hpp"
#include "zcdp/base/random.hpp"

namespace zcdp::test {
namespace {

using namespace zcdp::services;
using namespace zcdp::services::backend;
using namespace zcdp::services::controller;

/// An API server, and controllers that look after themselves.
struct Cluster {
    explicit Cluster() {
        api.create(kube::resources::config_maps, "zcdp-system",
                   json::parse(R"({"metadata":{"name":"other","namespace":"zcdp-system"}})").as_object(), "", "")
            .value();
    }
    struct Replica {
        Replica(Cluster& cluster, bool leads_now)
            : leads(leads_now),
              role(cluster.api, "zcdp-system", cluster.world),
              certificates(cluster.api, "zcdp-system", cluster.clock, cluster.log),
              keeper({cluster.api, certificates, role, cluster.clock, cluster.metrics, cluster.log,
                      [this] { return leads; },
                      [this](const net::KeyPair& pair) {
                          certificate = pair.certificate_pem;
                          ++served;
                          return Result<>();
                      }}) {}
        bool leads;
        std::string certificate;
        int served = 0;
        AgentRole role;
        Certificates certificates;
        Keeper keeper;
    };
    json::object& at(const char* plural, const char* key) {
        json::object* found = server.find(plural, key);
        REQUIRE(found);
        return *found;
    }
    std::string ca() { return secret_value(at("secrets", "zcdp-system/zcdp-controller-ca"), "ca.crt"); }
    std::string bundle() {
        return from_base64(at("mutatingwebhookconfigurations", "zcdp")
                               .at("webhooks")
                               .at(0)
                               .at("clientConfig")
                               .at("caBundle")
                               .as_string())
            .value();
    }
    std::string published() {
        return std::string(at("configmaps", "zcdp-system/zcdp-ca").at("data").at("ca.crt").as_string());
    }

    ManualClock clock{1'800'000'000'000'000'000};
    SeededRandom random{1};
    SimServer server{clock};
    SimApi api{server, random};
    Metrics metrics;
    Logger log{clock, 2, LogLevel::off, LogFormat::text};
    World world;
};

/// Of every kept kind and name, as the API server has them once a leader has looked.
const std::vector<std::pair<const char*, const char*>> kKept{
    {"mutatingwebhookconfigurations", "zcdp"},
    {"csidrivers", "zcdp.io"},
    {"clusterroles", "zcdp-agent"},
    {"clusterrolebindings", "zcdp-agent"},
    {"roles", "zcdp-system/zcdp-agent-secrets"},
    {"rolebindings", "zcdp-system/zcdp-agent-secrets"},
    {"services", "zcdp-system/zcdp-controller"},
    {"validatingadmissionpolicies", "zcdp-agent-own-node"},
    {"validatingadmissionpolicybindings", "zcdp-agent-own-node"}};

}  // namespace

TEST_CASE("each object that zcdp set up is made again when it is deleted, and then nothing is written any more") {
    Cluster cluster;
    Cluster::Replica leader(cluster, true);
    REQUIRE(leader.keeper.look().has_value());
    const uint64_t writes = cluster.server.writes;
    REQUIRE(leader.keeper.look().has_value());
    CHECK(cluster.server.writes == writes);
    CHECK(leader.served == 1);
    for (const auto& [plural, key] : kKept) {
        INFO(plural, " ", key);
        cluster.at(plural, key);
        cluster.server.remove(plural, key);
        REQUIRE_FALSE(cluster.server.find(plural, key));
        REQUIRE(leader.keeper.look().has_value());
        CHECK(cluster.server.find(plural, key));
    }
    CHECK(cluster.bundle() == cluster.ca());
    for (const char* kind : {"deployments", "daemonsets", "namespaces"})
        CHECK(cluster.server.objects[kind].empty());  // these are people's
    for (const auto& [key, role] : cluster.server.objects["clusterroles"]) CHECK(key == "zcdp-agent");
}

TEST_CASE("who does not lead writes nothing of it") {
    Cluster cluster;
    Cluster::Replica leader(cluster, true), other(cluster, false);
    CHECK_FALSE(other.keeper.look().has_value());  // there is no CA yet
    REQUIRE(leader.keeper.look().has_value());
    for (const auto& [plural, key] : kKept) cluster.server.remove(plural, key);
    cluster.server.remove("secrets", "zcdp-system/zcdp-controller-ca");
    const uint64_t writes = cluster.server.writes;
    (void)other.keeper.look().has_value();
    CHECK(cluster.server.writes == writes);
}

TEST_CASE("an emptied or foreign caBundle, also of one hook of several, is written again; what people set stays") {
    Cluster cluster;
    Cluster::Replica leader(cluster, true);
    REQUIRE(leader.keeper.look().has_value());
    for (const char* bundle : {"", "Zm9yZWlnbg=="}) {
        json::object hook = cluster.at("mutatingwebhookconfigurations", "zcdp");
        json::object& first = hook.at("webhooks").as_array()[0].as_object();
        first["failurePolicy"] = "Fail", first["timeoutSeconds"] = 7;
        first["clientConfig"].as_object()["caBundle"] = bundle;
        cluster.server.put("mutatingwebhookconfigurations", hook);
        REQUIRE(leader.keeper.look().has_value());
        CHECK(cluster.bundle() == cluster.ca());
        CHECK(cluster.at("mutatingwebhookconfigurations", "zcdp").at("webhooks").at(0).at("failurePolicy") == "Fail");
    }
    json::object hook = cluster.at("mutatingwebhookconfigurations", "zcdp");
    hook.at("webhooks").as_array()[0].as_object().at("clientConfig").as_object().erase("caBundle");
    cluster.server.put("mutatingwebhookconfigurations", hook);
    REQUIRE(leader.keeper.look().has_value());
    CHECK(cluster.bundle() == cluster.ca());
}

TEST_CASE("what the webhook cannot work without is put back: its rules, its service, the hook itself") {
    Cluster cluster;
    Cluster::Replica leader(cluster, true);
    REQUIRE(leader.keeper.look().has_value());
    const json::object good = cluster.at("mutatingwebhookconfigurations", "zcdp");
    for (int damage = 0; damage < 3; ++damage) {
        INFO("damage ", damage);
        json::object hook = cluster.at("mutatingwebhookconfigurations", "zcdp");
        json::array& hooks = hook.at("webhooks").as_array();
        if (damage == 0) hooks[0].as_object()["rules"] = json::array();
        if (damage == 1) hooks[0].as_object()["clientConfig"].as_object()["service"].as_object()["name"] = "other";
        if (damage == 2) hooks.clear();
        cluster.server.put("mutatingwebhookconfigurations", hook);
        REQUIRE(leader.keeper.look().has_value());
        CHECK(cluster.at("mutatingwebhookconfigurations", "zcdp").at("webhooks") == good.at("webhooks"));
    }
}

TEST_CASE(
    "the CA's Secret deleted or damaged under running controllers: the same CA is there again, nobody changes "
    "certificates") {
    Cluster cluster;
    Cluster::Replica leader(cluster, true), other(cluster, false);
    REQUIRE(leader.keeper.look().has_value());
    REQUIRE(other.keeper.look().has_value());
    const std::string ca = cluster.ca(), key = "zcdp-system/zcdp-controller-ca";
    const json::object good = cluster.at("secrets", key.c_str());
    for (int damage = 0; damage < 5; ++damage) {
        INFO("damage ", damage);
        if (damage == 0) {
            cluster.server.remove("secrets", key);
        } else {
            json::object secret = cluster.at("secrets", key.c_str());
            json::object& data = secret.at("data").as_object();
            if (damage == 1) secret.erase("data");
            if (damage == 2) data["ca.crt"] = to_base64("no certificate");
            if (damage == 3) data["ca.key"] = to_base64(net::make_ca("other", 1'800'000'000, 3650).value().key_pem);
            if (damage == 4) data.erase("ca.key");
            cluster.server.put("secrets", secret);
        }
        CHECK(other.keeper.look().has_value());  // before the leader: it serves on
        REQUIRE(leader.keeper.look().has_value());
        CHECK(other.keeper.look().has_value());
        CHECK(cluster.at("secrets", key.c_str()).at("data") == good.at("data"));
    }
    CHECK(leader.served == 1);
    CHECK(other.served == 1);
    CHECK(cluster.published() == ca);
}

TEST_CASE(
    "the Secret is deleted and the leader restarts: another CA, and the one that was trusted before stays trusted") {
    Cluster cluster;
    std::string first;
    Cluster::Replica other(cluster, false);
    {
        Cluster::Replica leader(cluster, true);
        REQUIRE(leader.keeper.look().has_value());
        REQUIRE(other.keeper.look().has_value());
        first = cluster.ca();
    }
    cluster.server.remove("secrets", "zcdp-system/zcdp-controller-ca");
    Cluster::Replica next(cluster, true);
    REQUIRE(next.keeper.look().has_value());
    CHECK(cluster.ca() != first);
    CHECK(cluster.bundle() == cluster.ca() + first);  // the other replica's certificate is good until it looks
    REQUIRE(other.keeper.look().has_value());
    CHECK(other.served == 2);
    next.leads = false, other.leads = true;
    REQUIRE(other.keeper.look().has_value());
    CHECK(cluster.bundle() == cluster.ca() + first);  // whoever leads says the same
    CHECK(next.served == 1);
}

TEST_CASE("the one that takes over after the Secret was lost writes the CA that it serves with") {
    Cluster cluster;
    Cluster::Replica leader(cluster, true), other(cluster, false);
    REQUIRE(leader.keeper.look().has_value());
    REQUIRE(other.keeper.look().has_value());
    const std::string ca = cluster.ca();
    cluster.server.remove("secrets", "zcdp-system/zcdp-controller-ca");
    leader.leads = false, other.leads = true;
    REQUIRE(other.keeper.look().has_value());
    CHECK(cluster.ca() == ca);
    CHECK(other.served == 1);
}

TEST_CASE("a CA is renewed a year before it ends, and serves until then where nobody leads") {
    Cluster cluster;
    Cluster::Replica leader(cluster, true), other(cluster, false);
    REQUIRE(leader.keeper.look().has_value());
    const std::string first = cluster.ca();
    cluster.clock.advance_ns(int64_t{9} * 366 * 86'400 * 1'000'000'000);
    REQUIRE(other.keeper.look().has_value());
    CHECK(cluster.ca() == first);
    REQUIRE(leader.keeper.look().has_value());
    CHECK(cluster.ca() != first);
    CHECK(cluster.published() == cluster.ca() + first);
    CHECK(leader.served == 2);
}

TEST_CASE("the agents' Role is looked at, not only remembered: rights that were added or taken away are put right") {
    Cluster cluster;
    cluster.world.backends.put(
        json::parse(R"({"metadata":{"name":"b","uid":"1","resourceVersion":"1"},"spec":{"secretRef":{"name":"key"}}})")
            .as_object());
    Cluster::Replica leader(cluster, true);
    REQUIRE(leader.keeper.look().has_value());
    const json::value good = cluster.at("roles", "zcdp-system/zcdp-agent-secrets").at("rules");
    CHECK(json::serialize(good).find("\"key\"") != std::string::npos);
    for (const char* rules : {"[]", R"([{"apiGroups":[""],"resources":["secrets"],"verbs":["get","list"]}])"}) {
        json::object role = cluster.at("roles", "zcdp-system/zcdp-agent-secrets");
        role["rules"] = json::parse(rules);
        cluster.server.put("roles", role);
        REQUIRE(leader.keeper.look().has_value());
        CHECK(cluster.at("roles", "zcdp-system/zcdp-agent-secrets").at("rules") == good);
    }
}

TEST_CASE("what an API server adds or leaves out is no damage") {
    const auto says_so = [](const char* have, const char* wanted) {
        return says(json::parse(have), json::parse(wanted));
    };
    CHECK(says_so(R"({"a":1,"b":{"c":[{"name":"x","more":2},{"name":"y"}]}})", R"({"b":{"c":[{"name":"x"}]}})"));
    CHECK(says_so(R"({"a":1})", R"({"a":1,"f":false,"l":[],"s":""})"));
    CHECK_FALSE(says_so(R"({"a":1})", R"({"a":1,"f":true})"));
    CHECK_FALSE(says_so(R"({"l":["a"]})", R"({"l":["a","b"]})"));
    CHECK_FALSE(says_so(R"({"l":["a","b"]})", R"({"l":["a"]})"));  // a right too many
    CHECK_FALSE(says_so(R"({"c":[{"name":"y"}]})", R"({"c":[{"name":"x"}]})"));
    CHECK_FALSE(says_so(R"({"o":"text"})", R"({"o":{"x":1}})"));
}

TEST_CASE("the controller may give agents only rights that it has itself, and keeps none of its own") {
    std::set<std::string> mine;
    std::vector<std::string> theirs;
    const auto cells = [](const json::object& role) {
        std::vector<std::string> out;
        for (const json::value& rule : role.at("rules").as_array())
            for (const json::value& group : rule.at("apiGroups").as_array())
                for (const json::value& resource : rule.at("resources").as_array())
                    for (const json::value& verb : rule.at("verbs").as_array())
                        if (!rule.as_object().contains("resourceNames"))
                            out.push_back(json::serialize(json::array{group, resource, verb}));
        return out;
    };
    for (const json::object& one : manifest_objects({}).value()) {
        const std::string kind(one.at("kind").as_string()), name(one.at("metadata").at("name").as_string());
        if (kind == "ClusterRole" && name == "zcdp-controller") {
            for (const std::string& cell : cells(one)) mine.insert(cell);
            CHECK_FALSE(essential_part(one));
        }
        if (kind == "ClusterRole" && name == "zcdp-agent") theirs = cells(one);
    }
    CHECK_FALSE(theirs.empty());
    for (const std::string& cell : theirs) {
        INFO(cell);
        CHECK(mine.contains(cell));
    }
}

TEST_CASE(
    "a pod that a claim selects and that has not its data is missed, also beside another claim, and in the claim's own "
    "second") {
    const auto claim =
        api::from_json<api::DatasetClaim>(
            json::parse(R"({"metadata":{"name":"b","namespace":"n","creationTimestamp":"2026-01-01T00:00:10Z"},
        "spec":{"dataset":"d","podSelector":{"matchLabels":{"app":"w"}}}})"))
            .value();
    const auto pod = [](const char* claims, const char* made, const char* app = "w", const char* phase = "Running") {
        return api::from_json<api::Pod>(
                   json::parse(std::string(R"({"metadata":{"name":"p","namespace":"n","labels":{"app":")") + app +
                               R"("},"creationTimestamp":")" + made + R"(","annotations":{"zcdp.io/claims":")" +
                               claims + R"("}},"status":{"phase":")" + phase + "\"}}"))
            .value();
    };
    CHECK(is_missed(pod("", "2026-01-01T00:00:11Z"), claim));
    CHECK(is_missed(pod("", "2026-01-01T00:00:10Z"), claim));
    CHECK(is_missed(pod("a", "2026-01-01T00:00:11Z"), claim));
    CHECK_FALSE(is_missed(pod("a,b", "2026-01-01T00:00:11Z"), claim));
    CHECK_FALSE(is_missed(pod("", "2026-01-01T00:00:09Z"), claim));
    CHECK_FALSE(is_missed(pod("", "2026-01-01T00:00:11Z", "other"), claim));
    CHECK_FALSE(is_missed(pod("", "2026-01-01T00:00:11Z", "w", "Succeeded"), claim));
    World world;
    kube::WorkQueue queue(system_clock(), system_random());
    Reconciler::route(world, queue);
    world.claims.put(api::object_json(claim));
    while (const auto key = queue.try_take()) queue.done(*key);
    world.pods.put(api::to_json(pod("a", "2026-01-01T00:00:11Z")).as_object());
    std::set<std::string> keys;
    while (const auto key = queue.try_take()) keys.insert(*key), queue.done(*key);
    CHECK(keys.contains("claim/n/b"));
    CHECK(world.pods.by_index("n").size() == 1);
}

}  // namespace zcdp::test
