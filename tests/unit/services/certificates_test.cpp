// The controller's CA through its years: made, shared, renewed, rotated, lost.
#include "src/services/controller/pki/certificates.hpp"

#include <boost/json/parse.hpp>

#include "src/services/backend/backend_access.hpp"
#include "tests/support/doctest.hpp"
#include "tests/support/sim_api.hpp"
#include "zcdp/base/base64.hpp"

namespace zcdp::test {
namespace {

using namespace zcdp::services::controller;
using zcdp::services::backend::secret_value;

constexpr int64_t kDayNs = 86'400ll * 1'000'000'000;
constexpr const char* kSecret = "zcdp-system/zcdp-controller-ca";

struct Cluster {
    Cluster() {
        api.create(kube::resources::webhooks, "",
                   json::parse(R"({"metadata":{"name":"zcdp"},"webhooks":[
                       {"name":"a","clientConfig":{}},{"name":"b","clientConfig":{"caBundle":"b2xk"}}]})")
                       .as_object(),
                   "", "")
            .value();
    }
    Certificates replica() { return Certificates(api, "zcdp-system", clock, log); }
    std::string secret(const char* key) {
        const json::object* found = server.find("secrets", kSecret);
        REQUIRE(found);
        return secret_value(*found, key);
    }
    std::string published() {
        return std::string(server.find("configmaps", "zcdp-system/zcdp-ca")->at("data").at("ca.crt").as_string());
    }
    std::string hook(size_t number) {
        return from_base64(server.find("mutatingwebhookconfigurations", "zcdp")
                               ->at("webhooks")
                               .at(number)
                               .at("clientConfig")
                               .at("caBundle")
                               .as_string())
            .value();
    }
    void days(int count) { clock.advance_ns(count * kDayNs); }

    ManualClock clock{1'800'000'000'000'000'000};
    SeededRandom random{1};
    SimServer server{clock};
    SimApi api{server, random};
    Logger log{clock, 2, LogLevel::off, LogFormat::text};
};

int64_t end_of(const Certificates& replica) { return net::certificate_end(replica.serving().certificate_pem).value(); }

}  // namespace

TEST_CASE("the leader makes the CA, and the others serve with certificates of the same one") {
    Cluster cluster;
    Certificates leader = cluster.replica(), follower = cluster.replica();
    const auto too_early = follower.refresh(false);
    REQUIRE_FALSE(too_early);
    CHECK(too_early.error().kind() == ErrorKind::not_found);
    CHECK_FALSE(cluster.server.find("secrets", kSecret));  // only the leader makes one
    CHECK(leader.refresh(true).value());
    CHECK(follower.refresh(false).value());
    CHECK(net::is_key_pair(leader.serving()));
    CHECK(net::is_key_pair(follower.serving()));
    CHECK(leader.serving().key_pem != follower.serving().key_pem);
    const std::string ca = cluster.secret("ca.crt");
    CHECK(cluster.secret("previous.crt").empty());
    CHECK_FALSE(leader.refresh(true).value());
    CHECK_FALSE(follower.refresh(false).value());
    CHECK(cluster.secret("ca.crt") == ca);
    REQUIRE(leader.publish());
    CHECK(cluster.published() == ca);
    CHECK(cluster.hook(0) == ca);
    CHECK(cluster.hook(1) == ca);
    const uint64_t writes = cluster.server.writes;
    REQUIRE(leader.publish());
    CHECK(cluster.server.writes == writes);
}

TEST_CASE("a serving certificate is renewed a month before its end, by each replica, with the same CA") {
    Cluster cluster;
    Certificates leader = cluster.replica(), follower = cluster.replica();
    REQUIRE(leader.refresh(true));
    REQUIRE(follower.refresh(false));
    const std::string ca = cluster.secret("ca.crt");
    const int64_t end = end_of(follower);
    cluster.days(59);
    CHECK_FALSE(follower.refresh(false).value());
    CHECK(end_of(follower) == end);
    cluster.days(2);
    CHECK(follower.refresh(false).value());
    CHECK(leader.refresh(true).value());
    CHECK(end_of(follower) > end + 60 * 86'400);
    CHECK(cluster.secret("ca.crt") == ca);
}

TEST_CASE("a CA is renewed a year before its end; the old one stays trusted, and the others follow") {
    Cluster cluster;
    Certificates leader = cluster.replica(), follower = cluster.replica();
    REQUIRE(leader.refresh(true));
    REQUIRE(follower.refresh(false));
    REQUIRE(leader.publish());
    const std::string first = cluster.secret("ca.crt");
    cluster.days(3650 - 366);
    REQUIRE(leader.refresh(true));
    CHECK(cluster.secret("ca.crt") == first);  // its time has not come
    cluster.days(2);
    REQUIRE(follower.refresh(false));
    CHECK(cluster.secret("ca.crt") == first);  // a follower renews nothing
    CHECK(leader.refresh(true).value());
    const std::string second = cluster.secret("ca.crt");
    CHECK(second != first);
    CHECK(cluster.secret("previous.crt") == first);
    REQUIRE(leader.publish());
    CHECK(cluster.published() == second + first);
    CHECK(cluster.hook(0) == second + first);
    CHECK(follower.refresh(false).value());
    CHECK_FALSE(leader.refresh(true).value());
}

TEST_CASE("a CA whose key is lost is put back by who remembers it, and replaced by a leader that does not") {
    Cluster cluster;
    Certificates leader = cluster.replica();
    REQUIRE(leader.refresh(true));
    REQUIRE(leader.publish());
    const std::string first = cluster.secret("ca.crt"), key = cluster.secret("ca.key");
    SUBCASE("deleted under its leader") {
        cluster.server.remove("secrets", kSecret);
        CHECK_FALSE(leader.refresh(true).value());  // it serves on
        CHECK(cluster.secret("ca.crt") == first);
        CHECK(cluster.secret("ca.key") == key);
    }
    SUBCASE("deleted under a follower, which serves on and writes nothing") {
        Certificates follower = cluster.replica();
        REQUIRE(follower.refresh(false));
        cluster.server.remove("secrets", kSecret);
        CHECK_FALSE(follower.refresh(false).value());
        CHECK_FALSE(cluster.server.find("secrets", kSecret));
    }
    SUBCASE("a new leader: what was published until then stays trusted") {
        cluster.server.remove("secrets", kSecret);
        Certificates fresh = cluster.replica();
        CHECK(fresh.refresh(true).value());
        CHECK(cluster.secret("ca.crt") != first);
        CHECK(cluster.secret("previous.crt") == first);
        REQUIRE(fresh.publish());
        CHECK(cluster.published() == cluster.secret("ca.crt") + first);
    }
    SUBCASE("a Secret whose key is another's") {
        json::object& secret = *cluster.server.find("secrets", kSecret);
        secret["data"].as_object()["ca.key"] = to_base64(net::make_ca("x", cluster.clock.unix_s(), 1)->key_pem);
        CHECK_FALSE(leader.refresh(true).value());
        CHECK(cluster.secret("ca.key") == key);
    }
}

TEST_CASE("an API that cannot be asked changes nothing, and says what it was about") {
    Cluster cluster;
    Certificates leader = cluster.replica();
    cluster.api.failure_rate = 1;
    const auto failed = leader.refresh(true);
    REQUIRE_FALSE(failed);
    CHECK(failed.error().object() == "the CA's Secret");
    CHECK(cluster.server.writes == 1);
    cluster.api.failure_rate = 0;
    REQUIRE(leader.refresh(true));
}

}  // namespace zcdp::test
