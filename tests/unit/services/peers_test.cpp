// Controllers introduce nodes that want one dataset to each other and certify who they are, and agents ask them: the
// routes, over TLS on loopback and called alone.
#include <boost/asio/io_context.hpp>
#include <boost/json/parse.hpp>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <set>

#include "src/services/backend/backend_access.hpp"
#include "src/services/controller/listing/serve_listing.hpp"
#include "src/services/controller/peers/asker.hpp"
#include "src/services/controller/peers/routes.hpp"
#include "src/services/peers/controller_client.hpp"
#include "src/services/peers/introductions.hpp"
#include "src/services/peers/node_identity.hpp"
#include "src/services/peers/wire.hpp"
#include "tests/support/doctest.hpp"
#include "tests/support/review_api.hpp"
#include "tests/support/sim_api.hpp"

namespace zcdp::test {
namespace {

using namespace zcdp::services::controller;
using namespace zcdp::services::peers;
using net::server::ControlResponse;
using net::server::ControlRouter;
using net::server::ControlServer;
using net::server::Request;
using swarm::Introduction;
using swarm::MemberNews;
using zcdp::services::backend::secret_value;

constexpr const char* kAgent = "system:serviceaccount:zcdp-system:zcdp-agent";
constexpr int64_t kDayS = 86'400;

/// Tokens "node/NAME", "pod/NAME/UID", "nothing" (an agent's that is bound to neither), "other" (of somebody else).
kube::ApiResult<json::object> review(const json::object& asked) {
    const std::string token(asked.at("spec").at("token").as_string());
    json::object extra;
    if (token.starts_with("node/")) extra["authentication.kubernetes.io/node-name"] = json::array{token.substr(5)};
    if (token.starts_with("pod/")) {
        const size_t slash = token.find('/', 4);
        extra["authentication.kubernetes.io/pod-name"] = json::array{token.substr(4, slash - 4)};
        extra["authentication.kubernetes.io/pod-uid"] = json::array{token.substr(slash + 1)};
    }
    json::object out = asked;
    out["status"] = json::object{
        {"authenticated", true},
        {"audiences", asked.at("spec").at("audiences")},
        {"user", json::object{{"username", token == "other" ? "system:admin" : kAgent}, {"extra", std::move(extra)}}}};
    return out;
}

MemberNews news_of(const std::string& node, std::vector<std::string> neighbours = {}) {
    MemberNews out;
    out.name = node, out.address = "10.0.0.9:7443", out.neighbours = std::move(neighbours);
    return out;
}

/// What one controller knows and is asked.
struct Controller {
    Controller() {
        reviews.answer = review;
        world.datasets.put(json::parse(R"({"metadata":{"name":"llama","namespace":"n","uid":"u1"},
            "status":{"revision":"r2","history":[{"revision":"r3"},{"revision":"r2"}]}})")
                               .as_object());
    }
    void node(const std::string& name, const std::string& zone, const char* ready = "True") {
        world.nodes.put({{"metadata", json::object{{"name", name},
                                                   {"labels", json::object{{"topology.kubernetes.io/zone", zone}}}}},
                         {"status", json::object{{"conditions",
                                                  json::array{json::object{{"type", "Ready"}, {"status", ready}}}}}}});
    }
    void holder(const std::string& node, const std::string& phase = "Ready", const std::string& revision = "r2",
                const std::string& address = "10.0.0.1:7443", const std::string& wanted = "Ensure") {
        if (!world.nodes.get(node)) this->node(node, "");
        world.node_datasets.put(
            {{"metadata", json::object{{"name", "nd-" + node}, {"resourceVersion", std::to_string(++version)}}},
             {"spec", json::object{{"node", node},
                                   {"dataset", json::object{{"uid", "u1"}}},
                                   {"revision", revision},
                                   {"wanted", wanted}}},
             {"status", json::object{{"phase", phase}, {"peerAddress", address}}}});
    }
    ControlResponse ask(const std::string& body, const std::string& user, const std::string& dataset = "n/llama",
                        const std::string& revision = "r2") {
        Request request;
        request.user = user;
        request.query = {{"dataset", dataset}, {"revision", revision}};
        return meetings.answer(request, body);
    }
    Introduction meet(const MemberNews& news) {
        const auto answer = ask(to_text(news), news.name);
        REQUIRE(answer.status == 200);
        return read_introduction(answer.body).value();
    }
    /// Who comes through with this token; "" and the answer's status in `status` for who does not.
    std::string known_as(const std::string& token, int* status) {
        Request request;
        request.headers = {{"authorization", "Bearer " + token}};
        const auto refused = refuse_all_but_nodes(request, tokens, world);
        *status = refused ? refused->status : 200;
        return refused ? "" : request.user;
    }

    ManualClock clock{1'800'000'000'000'000'000};
    SeededRandom random{1};
    ReviewApi reviews;
    World world;
    uint64_t version = 0;
    std::atomic<bool> leads{true};
    kube::TokenReviewer tokens{reviews, {kListingAudience}, clock};
    Meetings meetings{world, [this] { return leads.load(); }, clock, random};
    SimServer server{clock};
    SimApi api{server, random};
    Logger log{clock, 2, LogLevel::off, LogFormat::text};
    Certificates certificates{api, "zcdp-system", clock, log};
};

/// A controller behind TLS as "localhost", and an agent's way to it.
struct Served {
    explicit Served(Controller& of, ControlRouter routes) {
        const auto own = net::issue_certificate(ca, "c", {"localhost"}, system_clock().unix_s(), 10).value();
        net::server::Options options;
        options.listen = "127.0.0.1:0", options.tls = true;
        options.certificate_pem = own.certificate_pem, options.key_pem = own.key_pem;
        server = ControlServer::open(options, 2, std::move(routes), of.log).value();
    }
    static ControlRouter routes_of(Controller& of) {
        ControlRouter routes;
        add_peer_routes(routes, {of.world, of.tokens, of.meetings, of.certificates});
        return routes;
    }
    ControllerAccess access(const std::string& token) const {
        return {"https://localhost:" + std::to_string(server->port()), [this] { return trusted; },
                [token] { return token; }};
    }
    net::KeyPair ca = net::make_ca("ca", system_clock().unix_s(), 100).value();
    std::string trusted = ca.certificate_pem;  ///< by the agent
    std::unique_ptr<ControlServer> server;
};

struct Agent {
    explicit Agent(Clock& clock) : machine{system_fs(), clock, random, metrics, log, nullptr} {}
    Result<Introduction> meet(ControllerAccess access, const MemberNews& news, const std::string& revision = "r2") {
        asio::io_context loop(1);
        const auto door =
            make_introductions(loop.get_executor(), std::move(access), {"n", "llama"}, Revision(revision), machine);
        Result<Introduction> out = Error(ErrorKind::failed, "nothing came");
        asio::co_spawn(loop, door->meet(news), [&](std::exception_ptr thrown, Result<Introduction> met) {
            CHECK(!thrown);
            out = std::move(met);
            loop.stop();
        });
        loop.run();
        return out;
    }
    SeededRandom random{2};
    Metrics metrics;
    Logger log{system_clock(), 2, LogLevel::off, LogFormat::text};
    const Machine machine;
};

Task<Result<>> read_body(net::HttpClient& http, net::Endpoint endpoint, std::string* out) {
    ZCDP_CO_TRY(const auto answer, co_await http.send(std::move(endpoint), {}, Deadline::in_ms(10'000)));
    ZCDP_CO_TRY(*out, co_await answer->read_all(1 << 10));
    co_return Result<>();
}

std::set<std::string> names_of(const Introduction& introduction) {
    std::set<std::string> out;
    for (const auto& neighbour : introduction.neighbours) out.insert(neighbour.name);
    return out;
}

}  // namespace

TEST_CASE("a token speaks for the node it is bound to, or for that of its pod, and for no other") {
    Controller controller;
    const auto pod = [](const char* name, const char* uid) {
        return json::object{{"metadata", json::object{{"name", name}, {"namespace", "zcdp-system"}, {"uid", uid}}},
                            {"spec", json::object{{"nodeName", "node-5"}}}};
    };
    controller.world.pods.put(pod("agent-a", "uid-a"));
    int status = 0;
    CHECK(controller.known_as("node/node-3", &status) == "node-3");
    CHECK(controller.known_as("pod/agent-a/uid-a", &status) == "node-5");
    CHECK(status == 200);
    for (const char* token : {"pod/agent-a/uid-of-another", "pod/agent-b/uid-a", "nothing", "other"}) {
        INFO(token);
        CHECK(controller.known_as(token, &status).empty());
        CHECK(status == 403);
    }
}

TEST_CASE("members of one revision are introduced, and a node speaks only for itself") {
    Controller controller;
    CHECK(names_of(controller.meet(news_of("node-1"))).empty());
    CHECK(names_of(controller.meet(news_of("node-2"))) == std::set<std::string>{"node-1"});
    CHECK(controller.ask(to_text(news_of("node-1")), "node-3").status == 403);
    CHECK(controller.ask(to_text(news_of("node-3")), "node-3", "n/llama", "r3").status == 200);
    CHECK(controller.meet(news_of("node-2")).members == 2);  // another revision is another swarm
    for (const auto& [dataset, revision] :
         {std::pair{"n/llama", "r1"}, {"n/llama", ""}, {"n/other", "r2"}, {"llama", "r2"}, {"", "r2"}}) {
        INFO(dataset, " ", revision);
        CHECK(controller.ask(to_text(news_of("node-1")), "node-1", dataset, revision).status == 404);
    }
    CHECK(controller.ask("{}", "node-1").status == 400);
    Request without;
    without.user = "node-1";
    CHECK(controller.meetings.answer(without, to_text(news_of("node-1"))).status == 400);
}

TEST_CASE("a controller that does not lead introduces nobody, and ends the connection") {
    Controller controller;
    controller.leads = false;
    const auto answer = controller.ask(to_text(news_of("node-1")), "node-1");
    CHECK(answer.status == 503);
    CHECK(answer.is_last);
    controller.leads = true;
    CHECK(controller.meet(news_of("node-2")).members == 1);
}

TEST_CASE("a connection is kept while its member asks again soon, and not while it rests") {
    Controller controller;
    CHECK_FALSE(controller.ask(to_text(news_of("node-1")), "node-1").is_last);
    controller.clock.advance_ns(5'000'000'000);
    CHECK(controller.ask(to_text(news_of("node-1")), "node-1").is_last);
}

TEST_CASE("the zone is the node's label, not what the node says") {
    Controller controller;
    for (int i = 0; i < 44; ++i) {
        const std::string name = (i % 11 == 0 ? "near-" : "far-") + std::to_string(i);
        controller.node(name, i % 11 == 0 ? "z1" : "z2");
        MemberNews news = news_of(name);
        news.zone = "z1";
        controller.meet(news);
    }
    controller.node("me", "z1");
    const auto names = names_of(controller.meet(news_of("me")));
    CHECK(std::count_if(names.begin(), names.end(), [](const auto& name) { return name.starts_with("near"); }) == 4);
}

TEST_CASE("nodes that are Ready and give are members without a word of theirs") {
    Controller controller;
    controller.holder("good");
    controller.holder("syncing", "Syncing");
    controller.node("dead", "", "Unknown");
    controller.holder("dead");
    controller.holder("evicting", "Ready", "r2", "10.0.0.1:7443", "Evict");
    controller.holder("older", "Ready", "r1");
    controller.holder("alone", "Ready", "r2", "");
    controller.holder("odd", "Ready", "r2", "no address");
    controller.holder("me");
    const Introduction met = controller.meet(news_of("me"));
    REQUIRE(met.neighbours.size() == 1);
    CHECK(met.neighbours[0] == Introduction::Neighbour{"good", "10.0.0.1:7443", true});
    CHECK(met.owners == std::vector<std::string>{"me"});
}

TEST_CASE("of many holders eight are met at a time, and those that a member has stay members while they hold") {
    Controller controller;
    for (int i = 0; i < 100; ++i) controller.holder("holder-" + std::to_string(i));
    const Introduction met = controller.meet(news_of("me"));
    CHECK(met.holders == 8);
    const auto first = names_of(met);
    CHECK(first.size() == 8);
    const std::vector<std::string> mine(first.begin(), first.end());
    for (int round = 0; round < 5; ++round) {
        controller.clock.advance_ns(20'000'000'000);
        CHECK(controller.meet(news_of("me", mine)).gone.empty());
    }
    controller.holder(mine[0], "Evicting");
    controller.clock.advance_ns(20'000'000'000);
    controller.meet(news_of("me", mine));
    controller.clock.advance_ns(20'000'000'000);
    CHECK(controller.meet(news_of("me", mine)).gone == std::vector<std::string>{mine[0]});
}

TEST_CASE("a holder that nobody has heard of does not make a swarm young again") {
    Controller controller;
    controller.meet(news_of("me"));
    controller.clock.advance_ns(5'000'000'000);
    const uint64_t calm_ms = controller.meet(news_of("me")).again_ms;
    controller.holder("holder");
    const Introduction met = controller.meet(news_of("me"));
    CHECK(met.holders == 1);
    CHECK(met.again_ms == calm_ms);
}

TEST_CASE("an agent that meets a follower asks again on other connections until it meets the leader") {
    Controller controller;
    Agent agent(system_clock());
    std::mutex mutex;
    std::set<std::shared_ptr<const net::server::Peer>> connections;
    std::atomic<int> asked = 0, follower_first = 7;
    ControlRouter routes;
    routes.add("POST", "/v1/peers", [&](const Request& request, const std::string& body) {
        const std::scoped_lock lock(mutex);
        connections.insert(request.peer);
        controller.leads = ++asked > follower_first;
        Request known = request;
        known.user = "node-1";
        return controller.meetings.answer(known, body);
    });
    const Served served(controller, std::move(routes));
    const auto met = agent.meet(served.access("node/node-1"), news_of("node-1"));
    REQUIRE(met);
    CHECK(met->members == 1);
    CHECK(asked == 8);
    {
        const std::scoped_lock lock(mutex);
        CHECK(connections.size() == 8);
    }
    asked = 0, follower_first = 100;
    const auto never = agent.meet(served.access("node/node-1"), news_of("node-1"));
    REQUIRE_FALSE(never);
    CHECK(never.error().kind() == ErrorKind::busy);
    CHECK(asked == 8);
}

TEST_CASE("an agent is introduced over TLS as the node of its token, and told what is wrong") {
    Controller controller;
    Agent agent(system_clock());
    const Served served(controller, Served::routes_of(controller));
    REQUIRE(agent.meet(served.access("node/node-1"), news_of("node-1")));
    const auto met = agent.meet(served.access("node/node-2"), news_of("node-2"));
    REQUIRE(met);
    CHECK(names_of(*met) == std::set<std::string>{"node-1"});
    const auto spoofed = agent.meet(served.access("node/node-2"), news_of("node-1"));
    REQUIRE_FALSE(spoofed);
    CHECK(spoofed.error().kind() == ErrorKind::denied);
    CHECK(spoofed.error().line().find("another node") != std::string::npos);
    CHECK(agent.meet(served.access("other"), news_of("node-2")).error().kind() == ErrorKind::denied);
    CHECK(agent.meet(served.access("node/node-2"), news_of("node-2"), "r1").error().kind() == ErrorKind::not_found);
    ControllerAccess stranger = served.access("node/node-2");
    stranger.ca_pem = [] { return net::make_ca("other", system_clock().unix_s(), 1).value().certificate_pem; };
    CHECK(agent.meet(stranger, news_of("node-2")).error().kind() == ErrorKind::unreachable);
}

TEST_CASE("a node gets a certificate of its own name for a day, and a new one in time") {
    Controller controller;
    Agent agent(controller.clock);
    Served served(controller, Served::routes_of(controller));
    NodeIdentity identity(served.access("node/node-3"), "node-3", agent.machine);
    const auto early = identity.refresh();
    REQUIRE_FALSE(early);
    CHECK(early.error().kind() == ErrorKind::busy);  // there is no CA yet
    CHECK_FALSE(identity.current());
    REQUIRE(controller.certificates.refresh(true));
    REQUIRE(identity.refresh());
    const auto first = identity.current();
    REQUIRE(first);
    CHECK(net::is_key_pair(first->own));
    CHECK(first->ends_unix_s == controller.clock.unix_s() + kDayS);
    controller.clock.advance_ns(15 * 3600 * 1'000'000'000ll);
    REQUIRE(identity.refresh());
    CHECK(identity.current() == first);
    controller.clock.advance_ns(3600 * 1'000'000'000ll + 1'000'000'000);
    REQUIRE(identity.refresh());
    const auto second = identity.current();
    CHECK(second->ends_unix_s > first->ends_unix_s);
    CHECK(second->own.key_pem != first->own.key_pem);
    served.trusted += net::make_ca("next", controller.clock.unix_s(), 10).value().certificate_pem;
    REQUIRE(identity.refresh());
    CHECK(identity.current() != second);
    CHECK(identity.current()->ca_pem.find(served.trusted) != std::string::npos);
    controller.reviews.answer = [](const json::object&) { return kube::api_error(500, "", ""); };
    controller.clock.advance_ns(kDayS * 1'000'000'000);
    CHECK_FALSE(identity.refresh());
    CHECK(identity.current());
}

TEST_CASE("two certified nodes know each other by the names of their tokens, whatever their requests said") {
    Controller controller;
    controller.clock.advance_ns((system_clock().unix_s() - controller.clock.unix_s()) * 1'000'000'000);
    REQUIRE(controller.certificates.refresh(true));
    Agent agent(controller.clock);
    const Served served(controller, Served::routes_of(controller));
    NodeIdentity three(served.access("node/node-3"), "node-1", agent.machine),
        four(served.access("node/node-4"), "node-1", agent.machine);
    REQUIRE(three.refresh());
    REQUIRE(four.refresh());
    net::server::Options options;
    options.listen = "127.0.0.1:0", options.tls = true, options.client_certificate_required = true;
    options.certificate_pem = three.current()->own.certificate_pem, options.key_pem = three.current()->own.key_pem;
    options.client_ca_pem = three.current()->ca_pem;
    const auto say_who = [](const Request& request, const std::string&) {
        return ControlResponse{200, "text/plain", request.peer->certificate_name};
    };
    const auto server = ControlServer::open(options, 2, ControlRouter().otherwise(say_who), agent.log).value();
    const auto heard = [&](const std::string& name) {
        std::string out;
        net::TlsOptions tls;
        tls.ca_pem = four.current()->ca_pem;
        tls.client_cert_pem = four.current()->own.certificate_pem, tls.client_key_pem = four.current()->own.key_pem;
        net::HttpClientOptions client;
        client.tls = net::make_tls_context(std::move(tls));
        const auto ask = [&](net::HttpClient& http) {
            return read_body(http, net::Endpoint{true, "127.0.0.1", server->port(), name}, &out);
        };
        (void)with_client(std::move(client), agent.machine, ask);
        return out;
    };
    CHECK(heard("node-3") == "node-4");
    CHECK(heard("node-1").empty());
}

TEST_CASE("what is no certificate request is refused, and said to be none") {
    Controller controller;
    REQUIRE(controller.certificates.refresh(true));
    CHECK(controller.certificates.sign_for_node("no request", "node-3").error().kind() == ErrorKind::refused);
    const auto request = net::make_certificate_request("node-3").value();
    CHECK_FALSE(controller.certificates.sign_for_node(request.request_pem, "a,IP:10.0.0.1"));
    const auto certified = controller.certificates.sign_for_node(request.request_pem, "node-3");
    REQUIRE(certified);
    CHECK(certified->ca_pem ==
          secret_value(*controller.server.find("secrets", "zcdp-system/zcdp-controller-ca"), "ca.crt"));
}

}  // namespace zcdp::test
