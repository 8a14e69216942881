// Who may have a listing: agents, by their tokens.
#include "src/services/controller/listing/serve_listing.hpp"

#include "tests/support/doctest.hpp"
#include "tests/support/review_api.hpp"

namespace zcdp::services::controller {

namespace json = boost::json;

TEST_CASE("a listing is for agents, and a failure to ask who somebody is denies nobody") {
    ManualClock clock(0);
    test::ReviewApi api;
    api.answer = [](const json::object& review) -> kube::ApiResult<json::object> {
        const json::object& spec = review.at("spec").as_object();
        if (spec.at("token") == json::value("lost")) return kube::api_error(500, "", "");
        json::object out = review;
        out["status"] =
            json::object{{"authenticated", spec.at("token") != json::value("bad")},
                         {"audiences", spec.at("audiences")},
                         {"user", json::object{{"username", spec.at("token") == json::value("agent")
                                                                ? "system:serviceaccount:zcdp-system:zcdp-agent"
                                                                : "system:serviceaccount:n:zcdp-agent"}}}};
        return out;
    };
    kube::TokenReviewer tokens(api, {kListingAudience}, clock);
    const auto status = [&](const char* authorization) {
        net::server::Request request;
        if (*authorization) request.headers = {{"authorization", authorization}};
        const auto answer = refuse_all_but_agents(request, tokens);
        return answer ? answer->status : 200;
    };
    CHECK(status("Bearer agent") == 200);
    CHECK(status("Bearer other") == 403);
    CHECK(status("Bearer bad") == 403);
    CHECK(status("Basic agent") == 403);
    CHECK(status("") == 403);
    CHECK(status("Bearer lost") == 503);
    CHECK(api.asked == 4);
    CHECK(status("Bearer agent") == 200);
    CHECK(api.asked == 4);
}

}  // namespace zcdp::services::controller
