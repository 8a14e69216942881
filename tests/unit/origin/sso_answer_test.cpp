// What SSO answers: credentials that can stand in a request, or a refusal.
#include "src/origin/s3/credentials.hpp"
#include "src/origin/s3/profile_credentials.hpp"
#include "tests/support/doctest.hpp"

using namespace zcdp;
using namespace zcdp::origin;

TEST_CASE("SSO's credentials are words that a header can hold") {
    const auto answer = [](const std::string& key, const std::string& token) {
        return s3::parse_sso_answer(R"({"roleCredentials":{"accessKeyId":")" + key +
                                    R"(","secretAccessKey":"s","sessionToken":")" + token +
                                    R"(","expiration":1700000000000}})");
    };
    CHECK(answer("AKIA", "t")->expires_unix_s == 1'700'000'000);
    CHECK(answer("AKIA", "").has_value());
    CHECK(answer("AK\\r\\nX: y", "t").error().kind() == ErrorKind::denied);
    CHECK(answer("AKIA", "t\\nX: y").error().kind() == ErrorKind::denied);
    CHECK(answer("", "t").error().kind() == ErrorKind::denied);
}
