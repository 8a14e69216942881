// Alibaba OSS: its signature, its checksum.
#include "src/origin/oss/credentials.hpp"
#include "src/origin/oss/signature.hpp"
#include "tests/support/doctest.hpp"

namespace zcdp::origin::oss {

TEST_CASE("OSS V4 signatures have the vendor's own test vector") {
    // alibabacloud-oss-go-sdk-v2, signer/v4_test.go: PUT of bucket "bucket", key "1234+-/123/1.txt"
    SigningInput input{"PUT",
                       "bucket",
                       "1234+-/123/1.txt",
                       "cn-hangzhou",
                       {{"+param1", "value3"},
                        {"+param2", ""},
                        {"|param1", "value4"},
                        {"|param2", ""},
                        {"param1", "value1"},
                        {"param2", ""}},
                       {{"content-type", "text/plain"},
                        {"x-oss-content-sha256", "UNSIGNED-PAYLOAD"},
                        {"x-oss-date", "20231216T162057Z"},
                        {"x-oss-head1", "value"}},
                       "20231216T162057Z"};
    CHECK(authorization(input, "ak", "sk") ==
          "OSS4-HMAC-SHA256 "
          "Credential=ak/20231216/cn-hangzhou/oss/"
          "aliyun_v4_request,Signature=e21d18daa82167720f9b1047ae7e7f1ce7cb77a31e8203a7d5f4624fa0284afe");
}

TEST_CASE("credentials as STS and the metadata service answer them") {
    const char* inner =
        R"({"AccessKeyId":"a","AccessKeySecret":"s","SecurityToken":"t","Expiration":"2030-01-01T00:00:00Z"})";
    CHECK(parse_credentials(inner)->security_token == "t");
    CHECK(parse_credentials(std::string(R"({"Credentials":)") + inner + "}")->access_key == "a");
    CHECK(parse_credentials("{}").error().kind() == ErrorKind::denied);
}

}  // namespace zcdp::origin::oss
