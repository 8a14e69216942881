// TokenReview and SubjectAccessReview without a network: what is sent, what an answer says, and how long it is kept.
#include "src/kube/reviews.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "src/kube/answer_cache.hpp"
#include "tests/support/doctest.hpp"
#include "zcdp/base/base64.hpp"

namespace zcdp::kube {
namespace {

const std::vector<std::string> kAudiences{"store", "store.ns"};

json::object object(const std::string& text) { return json::parse(text).as_object(); }

ApiResult<std::optional<User>> token_answer(const std::string& status) {
    return parse_token_review(object(R"({"kind": "TokenReview", "status": )" + status + "}"), kAudiences);
}

ApiResult<bool> access_answer(const std::string& status) {
    return parse_access_review(object(R"({"kind": "SubjectAccessReview", "status": )" + status + "}"));
}

std::string jwt(const std::string& claims) { return "eyJhbGciOiJSUzI1NiJ9." + to_base64url(claims) + ".c2ln"; }

Sha256Bytes key(char c) { return Sha256::of(std::string_view(&c, 1)); }

}  // namespace

TEST_CASE("the token of a header") {
    CHECK(bearer_token("Bearer abc.def") == "abc.def");
    CHECK(bearer_token("bearer  abc") == "abc");
    for (const char* other : {"", "Bearer", "Bearer ", "Basic abc", "abc", "Bearerabc"})
        CHECK(bearer_token(other) == "");
}

TEST_CASE("what cannot be a token is none") {
    CHECK(is_token("abc:def~"));
    for (const char* bad : {"", "a b", "a\nb", "a\x7f", "\xc3\xa4"}) CHECK_FALSE(is_token(bad));
    CHECK(is_token(std::string(32 << 10, 'a')));
    CHECK_FALSE(is_token(std::string((32 << 10) + 1, 'a')));
}

TEST_CASE("a TokenReview says the token and whom it has to be meant for") {
    CHECK(json::value(token_review("abc", kAudiences)) ==
          json::parse(R"({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview",
                          "spec": {"token": "abc", "audiences": ["store", "store.ns"]}})"));
    CHECK(resources::token_reviews.path("") == "/apis/authentication.k8s.io/v1/tokenreviews");
}

TEST_CASE("the user that a TokenReview names") {
    const auto user = token_answer(R"({"authenticated": true, "audiences": ["other", "store"],
        "user": {"username": "system:serviceaccount:n:s", "uid": "u", "groups": ["a", "b"], "more": 1,
                 "extra": {"authentication.kubernetes.io/pod-name": ["p"], "none": null}}})");
    REQUIRE(user.has_value());
    REQUIRE(*user);
    CHECK(**user == User{"system:serviceaccount:n:s",
                         "u",
                         {"a", "b"},
                         {{"authentication.kubernetes.io/pod-name", {"p"}}, {"none", {}}}});
    CHECK(token_answer(R"({"authenticated": true, "audiences": ["store"], "user": {"username": "x", "groups": null}})")
              .value() == User{"x", "", {}, {}});
}

TEST_CASE("who is not let in") {
    for (const char* status : {
             R"({})",
             R"({"authenticated": false})",
             R"({"user": {"username": "x"}, "audiences": ["store"]})",
             R"({"authenticated": false, "error": "token has expired", "user": {}})",
             R"({"authenticated": true, "user": {"username": "x"}})",  // for the API server, or it knows no audiences
             R"({"authenticated": true, "user": {"username": "x"}, "audiences": []})",
             R"({"authenticated": true, "user": {"username": "x"}, "audiences": ["other"]})",
         }) {
        INFO(status);
        const auto user = token_answer(status);
        REQUIRE(user.has_value());
        CHECK_FALSE(user->has_value());
    }
}

TEST_CASE("what is no TokenReview says nothing about a token") {
    for (const char* status : {
             "null",
             "[]",
             R"("Failure")",
             R"({"authenticated": "true"})",
             R"({"authenticated": true, "audiences": ["store"]})",
             R"({"authenticated": true, "audiences": ["store"], "user": {"username": ""}})",
             R"({"authenticated": true, "audiences": ["store"], "user": {"username": 5}})",
             R"({"authenticated": true, "audiences": ["store"], "user": {"username": "x", "groups": "admins"}})",
             R"({"authenticated": true, "audiences": ["store"], "user": {"username": "x", "groups": ["a", 1]}})",
             R"({"authenticated": true, "audiences": ["store"], "user": {"username": "x", "extra": {"k": "v"}}})",
             R"({"authenticated": true, "audiences": "store", "user": {"username": "x"}})",
         }) {
        INFO(status);
        const auto user = token_answer(status);
        REQUIRE_FALSE(user.has_value());
        CHECK(user.error().kind() == ApiErrorKind::malformed);
    }
    CHECK_FALSE(parse_token_review(object(R"({"kind": "Status", "status": {}})"), kAudiences).has_value());
    CHECK_FALSE(parse_token_review({}, kAudiences).has_value());
}

TEST_CASE("a SubjectAccessReview says who, and what on which object or path") {
    const User user{"x", "u", {"g"}, {{"k", {"v", "w"}}}};
    CHECK(json::value(access_review(user, ObjectAccess{"get", "zcdp.io", "datasets", "keys", "n", "d"})) ==
          json::parse(R"({"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
              "spec": {"user": "x", "uid": "u", "groups": ["g"], "extra": {"k": ["v", "w"]},
                       "resourceAttributes": {"verb": "get", "group": "zcdp.io", "resource": "datasets",
                                              "subresource": "keys", "namespace": "n", "name": "d"}}})"));
    CHECK(json::value(access_review({"x", "", {}, {}}, PathAccess{"get", "/metrics"})) ==
          json::parse(R"({"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
              "spec": {"user": "x", "nonResourceAttributes": {"verb": "get", "path": "/metrics"}}})"));
    CHECK(access_review(user, ObjectAccess{"list", "", "pods", "", "", ""}).at("spec").at("resourceAttributes") ==
          json::parse(R"({"verb": "list", "resource": "pods"})"));
    CHECK(resources::subject_access_reviews.path("") == "/apis/authorization.k8s.io/v1/subjectaccessreviews");
}

TEST_CASE("what a SubjectAccessReview answers") {
    CHECK(access_answer(R"({"allowed": true, "reason": "RBAC"})").value());
    CHECK(access_answer(R"({"allowed": true, "denied": false, "evaluationError": "a role is not there"})").value());
    CHECK_FALSE(access_answer(R"({"allowed": false})").value());
    CHECK_FALSE(access_answer(R"({"allowed": false, "denied": true})").value());
    CHECK_FALSE(access_answer(R"({"allowed": true, "denied": true})").value());
    for (const char* status :
         {"{}", "null", R"("Failure")", R"({"allowed": 1})", R"({"allowed": true, "denied": "no"})"})
        CHECK_FALSE(access_answer(status).has_value());
    CHECK_FALSE(parse_access_review(object(R"({"kind": "TokenReview", "status": {"allowed": true}})")).has_value());
}

TEST_CASE("the end of a token that says one") {
    CHECK(jwt_expiry_s(jwt(R"({"exp": 1800000000, "iss": "k"})")) == 1'800'000'000);
    CHECK(jwt_expiry_s(jwt(R"({"exp": 1800000000.5})")) == 1'800'000'000);
    CHECK(jwt_expiry_s(jwt(R"({"exp": 1e300})")) == 1'000'000'000'000);
    CHECK(jwt_expiry_s(jwt(R"({"exp": 18446744073709551615})")) == 1'000'000'000'000);
    for (const char* no_time : {R"({"exp": "1800000000"})", R"({"exp": -5})", R"({"exp": null})", R"({"exp": []})"})
        CHECK(jwt_expiry_s(jwt(no_time)) == 0);
    for (const std::string& none :
         {jwt("{}"), jwt("[1]"), jwt("{"), jwt(std::string(50, '[')), std::string("abc"), std::string(".."),
          std::string("a.b"), std::string("a.!!.c"), jwt(R"({"exp": 1})") + ".d"})
        CHECK_FALSE(jwt_expiry_s(none).has_value());
}

TEST_CASE("an error's words are passed on, but not what they quote of a token") {
    const std::string token = jwt(R"({"sub": "x"})");
    ApiError error = api_error(503, "the server is busy", "3");
    CHECK(unanswered(error, token).message() == "HTTP 503: the server is busy");
    CHECK(unanswered(error, token).retry_after_s() == 3);
    const Unanswered quoting = unanswered(api_error(400, "you sent " + token.substr(0, 40), ""), token);
    CHECK(quoting.message().find(token.substr(0, 12)) == std::string::npos);
    // That we may not ask is not that somebody else may not come in.
    CHECK(unanswered(api_error(403, "", "")).to_error().kind() == ErrorKind::unreachable);
}

TEST_CASE("an answer is kept for its time by either clock") {
    ManualClock clock(1'000 * 1'000'000'000ll);
    AnswerCache<int> cache(10);
    cache.put(key('a'), 1, {5'000'000'000}, clock);
    cache.put(key('b'), 2, {5'000'000'000, 1'002}, clock);
    cache.put(key('c'), 3, {5'000'000'000, 1'000}, clock);  // over already
    CHECK(cache.size() == 2);
    clock.advance_ns(1'999'999'999);
    CHECK(cache.find(key('b'), clock) == 2);
    clock.advance_ns(1);
    CHECK_FALSE(cache.find(key('b'), clock));
    CHECK(cache.size() == 1);
    clock.jump_ns(-1'000'000'000'000);  // the calendar is set back: nothing lives longer
    clock.advance_ns(2'999'999'999);
    CHECK(cache.find(key('a'), clock) == 1);
    clock.advance_ns(1);
    CHECK_FALSE(cache.find(key('a'), clock));
    CHECK(cache.size() == 0);
}

TEST_CASE("the answer that was used least recently goes") {
    ManualClock clock(0);
    AnswerCache<int> cache(2);
    const Lifetime long_one{1'000'000'000};
    cache.put(key('a'), 1, long_one, clock);
    cache.put(key('b'), 2, long_one, clock);
    CHECK(cache.find(key('a'), clock) == 1);
    cache.put(key('c'), 3, long_one, clock);
    CHECK(cache.size() == 2);
    CHECK_FALSE(cache.find(key('b'), clock));
    CHECK(cache.find(key('a'), clock) == 1);
    cache.put(key('a'), 4, long_one, clock);  // in place of the one before
    CHECK(cache.size() == 2);
    CHECK(cache.find(key('a'), clock) == 4);
    CHECK(cache.find(key('c'), clock) == 3);
}

}  // namespace zcdp::kube
