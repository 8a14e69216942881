// TokenReviewer and AccessReviewer: what is asked, how often, and over a real connection.
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <condition_variable>
#include <thread>

#include "tests/support/doctest.hpp"
#include "tests/support/review_api.hpp"
#include "zcdp/base/base64.hpp"
#include "zcdp/kube/authz.hpp"
#include "zcdp/net/control.hpp"

namespace zcdp::kube {
namespace {

using test::ReviewApi;

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kNow = 1'800'000'000;

/// "good..." is the user of that name, anything else nobody.
json::object review_token(const json::object& review) {
    const std::string token(review.at("spec").at("token").as_string());
    json::object out = review;
    if (token.starts_with("good"))
        out["status"] = json::object{{"authenticated", true},
                                     {"audiences", review.at("spec").at("audiences")},
                                     {"user", json::object{{"username", token}}}};
    else out["status"] = json::object{{"error", "invalid bearer token"}, {"user", json::object()}};
    return out;
}

json::object review_access(const json::object& review) {
    json::object out = review;
    const json::object& spec = review.at("spec").as_object();
    const json::value* object = spec.if_contains("resourceAttributes");
    out["status"] = json::object{{"allowed", object && object->at("namespace") == spec.at("user")}};
    return out;
}

ApiResult<json::object> unavailable(const json::object&) { return api_error(503, "", "2"); }

std::string name_of(ReviewResult<std::shared_ptr<const User>> user) {
    if (!user) return "unanswered";
    return *user ? (*user)->name : "nobody";
}

/// A reviewer whose API server knows tokens by review_token.
struct Reviewed {
    explicit Reviewed(ReviewCacheOptions options = {}) : reviewer(api, {"store"}, clock, options) {
        api.answer = review_token;
    }
    ManualClock clock{kNow * kSecond};
    ReviewApi api;
    TokenReviewer reviewer;
};

}  // namespace

TEST_CASE("a token's user is asked for once, then kept, and longer than that it is nobody's") {
    Reviewed with({60'000, 10'000, 100});
    auto& [clock, api, reviewer] = with;
    CHECK(name_of(reviewer.user_of("good")) == "good");
    CHECK(name_of(reviewer.user_of("bad")) == "nobody");
    clock.advance_ns(9 * kSecond);
    CHECK(name_of(reviewer.user_of_header("Bearer good")) == "good");
    CHECK(name_of(reviewer.user_of("bad")) == "nobody");
    CHECK(api.asked == 2);
    clock.advance_ns(kSecond);
    CHECK(name_of(reviewer.user_of("bad")) == "nobody");
    CHECK(api.asked == 3);
    clock.advance_ns(50 * kSecond);
    CHECK(name_of(reviewer.user_of("good")) == "good");
    CHECK(api.asked == 4);
}

TEST_CASE("what can be no token is nobody's, and nobody is asked") {
    Reviewed with;
    auto& [clock, api, reviewer] = with;
    CHECK(name_of(reviewer.user_of("")) == "nobody");
    CHECK(name_of(reviewer.user_of("good one")) == "nobody");
    CHECK(name_of(reviewer.user_of(std::string(40'000, 'g'))) == "nobody");
    CHECK(name_of(reviewer.user_of_header("Basic good")) == "nobody");
    CHECK(api.asked == 0);
}

TEST_CASE("a token is not kept past its own end") {
    Reviewed with({60'000, 10'000, 100});
    auto& [clock, api, reviewer] = with;
    const std::string token = "good." + to_base64url(R"({"exp": )" + std::to_string(kNow + 5) + "}") + ".sig";
    CHECK(name_of(reviewer.user_of(token)) == token);
    clock.advance_ns(5 * kSecond - 1);
    CHECK(name_of(reviewer.user_of(token)) == token);
    CHECK(api.asked == 1);
    clock.advance_ns(1);
    api.answer = [](const json::object&) -> ApiResult<json::object> {
        return json::object{{"kind", "TokenReview"}, {"status", json::object()}};
    };
    CHECK(name_of(reviewer.user_of(token)) == "nobody");
    CHECK(api.asked == 2);
}

TEST_CASE("an API server that cannot be asked denies nobody, and is asked again") {
    ManualClock clock(kNow * kSecond);
    ReviewApi api;
    TokenReviewer tokens(api, {"store"}, clock);
    AccessReviewer access(api, clock);
    const User user{"n", "", {}, {}};
    const ObjectAccess get{"get", "zcdp.io", "datasets", "", "n", "d"};
    for (const auto& answer : std::vector<std::function<ApiResult<json::object>(const json::object&)>>{
             unavailable,
             [](const json::object&) { return api_error(403, "", ""); },  // we may not ask
             [](const json::object&) { return json::object{{"kind", "Status"}, {"status", "Success"}}; },
         }) {
        api.answer = answer;
        CHECK(name_of(tokens.user_of("good")) == "unanswered");
        const auto allowed = access.allowed(user, get);
        REQUIRE_FALSE(allowed.has_value());
        CHECK(allowed.error().to_error().kind() == ErrorKind::unreachable);
    }
    CHECK(api.asked == 6);
    api.answer = review_token;
    CHECK(name_of(tokens.user_of("good")) == "good");
    api.answer = review_access;
    CHECK(access.allowed(user, get).value());
    api.answer = unavailable;  // what is kept needs no API server
    CHECK(name_of(tokens.user_of("good")) == "good");
    CHECK(access.allowed(user, get).value());
}

TEST_CASE("an answer about access is for one user and one question") {
    ManualClock clock(kNow * kSecond);
    ReviewApi api;
    api.answer = review_access;
    AccessReviewer access(api, clock, {60'000, 10'000, 100});
    const User user{"n", "", {}, {}};
    const auto ask = [&](const char* ns) {
        return access.allowed(user, ObjectAccess{"get", "zcdp.io", "d", "", ns, ""});
    };
    CHECK(ask("n").value());
    CHECK_FALSE(ask("other").value());
    CHECK(ask("n").value());
    CHECK_FALSE(ask("other").value());
    CHECK(api.asked == 2);
    User in_group = user;
    in_group.groups = {"g"};
    CHECK(access.allowed(in_group, ObjectAccess{"get", "zcdp.io", "d", "", "n", ""}).value());
    CHECK(access.allowed(user, ObjectAccess{"get", "zcdp.io", "d", "keys", "n", ""}).value());
    CHECK_FALSE(access.allowed(user, PathAccess{"get", "/metrics"}).value());
    CHECK(api.asked == 5);
    clock.advance_ns(10 * kSecond);
    CHECK_FALSE(ask("other").value());
    CHECK(ask("n").value());
    CHECK(api.asked == 6);
}

TEST_CASE("a flood of bad tokens pushes out no good one") {
    ManualClock clock(kNow * kSecond);
    ReviewApi api;
    api.answer = review_token;
    TokenReviewer reviewer(api, {"store"}, clock, {60'000, 10'000, 3});
    CHECK(name_of(reviewer.user_of("good")) == "good");
    for (int i = 0; i < 20; ++i) CHECK(name_of(reviewer.user_of("bad" + std::to_string(i))) == "nobody");
    CHECK(api.asked == 21);
    CHECK(name_of(reviewer.user_of("good")) == "good");
    CHECK(api.asked == 21);
    for (int i = 0; i < 3; ++i) CHECK(name_of(reviewer.user_of("good" + std::to_string(i))) != "nobody");
    CHECK(name_of(reviewer.user_of("good")) == "good");  // three others were used since
    CHECK(api.asked == 25);
}

TEST_CASE("who asks for the same token at the same time shares one request, and its error") {
    ManualClock clock(kNow * kSecond);
    ReviewApi api;
    std::mutex mutex;
    std::condition_variable changed;
    bool go = false, fails = false, throws = false;
    api.answer = [&](const json::object& review) -> ApiResult<json::object> {
        std::unique_lock lock(mutex);
        changed.wait(lock, [&] { return go; });
        if (throws) throw std::runtime_error("a bug");
        if (fails) return unavailable(review);
        return review_token(review);
    };
    TokenReviewer reviewer(api, {"store"}, clock);
    const auto eight_at_once = [&](const std::string& token) {
        go = false;
        api.asked = 0;
        std::atomic<int> begun{0};
        std::vector<std::string> names(8);
        std::vector<std::jthread> threads;
        for (std::string& name : names)
            threads.emplace_back([&] {
                ++begun;
                try {
                    name = name_of(reviewer.user_of(token));
                } catch (const std::runtime_error&) {
                    name = "thrown";
                }
            });
        while (begun < 8 || api.asked == 0) std::this_thread::yield();
        std::this_thread::sleep_for(std::chrono::milliseconds(50));  // the others come to wait
        {
            const std::scoped_lock lock(mutex);
            go = true;
        }
        changed.notify_all();
        threads.clear();
        return names;
    };
    CHECK(eight_at_once("good") == std::vector<std::string>(8, "good"));
    CHECK(api.asked == 1);
    fails = true;
    CHECK(eight_at_once("good2") == std::vector<std::string>(8, "unanswered"));
    fails = false, throws = true;
    CHECK(eight_at_once("good3") == std::vector<std::string>(8, "thrown"));
    throws = false;
    CHECK(name_of(reviewer.user_of("good3")) == "good3");
}

TEST_CASE("reviews over a connection") {
    ManualClock clock(kNow * kSecond);
    Logger log(clock, 2, LogLevel::off, LogFormat::text);
    Metrics metrics;
    std::atomic<int> status{201};
    net::server::ControlRouter routes;
    const auto answered = [&](auto review) {
        return [&status, review](const net::server::Request& request, const std::string& body) {
            if (request.header("authorization") != "Bearer ours") return net::server::ControlResponse{401, "", "", {}};
            return net::server::ControlResponse{
                status, "application/json", json::serialize(review(json::parse(body).as_object())), {}};
        };
    };
    routes.add("POST", "/apis/authentication.k8s.io/v1/tokenreviews", answered(review_token));
    routes.add("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", answered(review_access));
    net::server::Options options;
    options.listen = "127.0.0.1:0";
    const auto server = net::server::ControlServer::open(options, 2, routes, log).value();
    Connection connection;
    connection.server = "http://127.0.0.1:" + std::to_string(server->port());
    connection.token = "ours";
    const auto api = connect(connection, "test", system_fs(), system_clock(), metrics, log);
    TokenReviewer tokens(*api, {"store"}, clock);
    AccessReviewer access(*api, clock);
    const auto user = tokens.user_of("good");
    REQUIRE(user.has_value());
    REQUIRE(*user);
    CHECK((*user)->name == "good");
    CHECK(name_of(tokens.user_of("bad")) == "nobody");
    CHECK(access.allowed(**user, ObjectAccess{"get", "", "pods", "", "good", ""}).value());
    CHECK_FALSE(access.allowed(**user, ObjectAccess{"get", "", "pods", "", "other", ""}).value());
    status = 500;
    CHECK(name_of(tokens.user_of("good2")) == "unanswered");
    connection.token = "not ours";
    const auto stranger = connect(connection, "test", system_fs(), system_clock(), metrics, log);
    TokenReviewer refused(*stranger, {"store"}, clock);
    CHECK(refused.user_of("good").error().cause() == ApiErrorKind::unauthorized);
}

}  // namespace zcdp::kube
