// S3's pure parts: signatures against AWS's own examples, profiles, errors, ranges, checksums, back-off, concurrency.
#include <deque>

#include "src/origin/remote/answers.hpp"
#include "src/origin/remote/given.hpp"
#include "src/origin/remote/points.hpp"
#include "src/origin/s3/address.hpp"
#include "src/origin/s3/answers.hpp"
#include "src/origin/s3/location.hpp"
#include "src/origin/s3/profile.hpp"
#include "src/origin/s3/role.hpp"
#include "src/origin/s3/s3_bucket.hpp"
#include "src/origin/s3/sigv4.hpp"
#include "tests/support/doctest.hpp"
#include "zcdp/base/base64.hpp"

using namespace zcdp;
using namespace zcdp::origin;
using namespace zcdp::origin::s3;

namespace {

const Credentials kExample{"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "", 0};

AwsFiles aws_files(const std::string& config, const std::string& credentials) {
    return AwsFiles::parse(config, "config", credentials, "credentials").value();
}

std::string signature(const SigningInput& input, const Credentials& credentials = kExample) {
    Signer signer;
    const std::string value = signer.authorization(input, credentials);
    return value.substr(value.rfind('=') + 1);
}

SigningInput example(std::string_view path, std::string_view query) {
    SigningInput input;
    input.method = "GET", input.host = "examplebucket.s3.amazonaws.com", input.path = path, input.query = query;
    input.region = "us-east-1", input.amz_date = "20130524T000000Z", input.payload_sha256 = kEmptySha256;
    return input;
}

}  // namespace

TEST_CASE("SigV4 gives the signatures of the examples in the S3 API reference") {
    // "Authenticating Requests: Using the Authorization Header", examples GET Object, GET Bucket Lifecycle, GET Bucket.
    SigningInput object = example("/test.txt", "");
    object.extra_headers = {{"range", "bytes=0-9"}};
    CHECK(signature(object) == "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
    CHECK(signature(example("/", "lifecycle=")) == "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
    CHECK(signature(example("/", "max-keys=2&prefix=J")) ==
          "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

TEST_CASE("the signing key follows day, region and secret; the session token is signed") {
    Signer signer;
    const auto first = signer.authorization(example("/a", ""), kExample);
    SigningInput tomorrow = example("/a", "");
    tomorrow.amz_date = "20130525T000000Z";
    CHECK(signer.authorization(tomorrow, kExample) != first);
    CHECK(signer.authorization(example("/a", ""), kExample) == first);
    Credentials with_token = kExample;
    with_token.session_token = "token";
    CHECK(signer.authorization(example("/a", ""), with_token).find("x-amz-security-token") != std::string::npos);
}

TEST_CASE("keys are encoded byte by byte") {
    CHECK(uri_encode("a b+c/ü~", true) == "a%20b%2Bc/%C3%BC~");
    CHECK(uri_encode("a/b", false) == "a%2Fb");
}

TEST_CASE("the AWS files are read as botocore reads them") {
    const std::string config =
        "\xef\xbb\xbf# a comment\n[default]\nRegion = us-east-1 # home\n\n[profile "
        "dev]\r\nregion=eu-central-1\r\nendpoint_url : http://127.0.0.1:9000\r\ns3 =\n\n  addressing_style = path\n"
        "  ; another\n  use_dualstack_endpoint=true\noutput = json\n[profile \"my lab\"]\n   region = x\n   services = "
        "s\n[ services s ]\ns3 = none of them\n[services s]\ns3 =\n endpoint_url = http://s3\n[other]\nregion = no\n";
    const AwsFiles files =
        AwsFiles::parse(config, "config",
                        "[dev]\naws_secret_access_key = S=+/ \nregion = x\n more\n[profile odd]\na = b\n",
                        "credentials")
            .value();
    CHECK(files.names() == std::vector<std::string>{"default", "dev", "my lab", "profile odd"});
    CHECK(files.profile("default").settings == Settings{{"region", "us-east-1 # home"}});
    CHECK(without_comment("us-east-1 # home") == "us-east-1");
    CHECK(without_comment("a#b;c") == "a#b;c");
    const Section dev = files.profile("dev");
    CHECK(dev.settings.at("endpoint_url") == "http://127.0.0.1:9000");
    CHECK(dev.settings.at("aws_secret_access_key") == "S=+/");
    CHECK(dev.settings.at("region") == "x\nmore");
    CHECK(dev.blocks.at("s3") == Settings{{"addressing_style", "path"}, {"use_dualstack_endpoint", "true"}});
    CHECK(files.in_config("dev").at("region") == "eu-central-1");
    CHECK(files.profile("my lab").settings == Settings{{"region", "x"}, {"services", "s"}});
    REQUIRE(files.services("s"));
    CHECK(files.services("s")->blocks.at("s3").at("endpoint_url") == "http://s3");
    CHECK_FALSE(files.has("other"));
    CHECK(files.profile("other").settings.empty());
    // What stands in [DEFAULT] stands everywhere; a whole [default] takes the place of a [profile default] before it.
    const AwsFiles defaults = AwsFiles::parse(
                                  "[DEFAULT]\nregion = d\n[profile default]\noutput = json\n[default]\nrole_arn = "
                                  "r\n[profile a]\nregion = a\n",
                                  "", "", "")
                                  .value();
    CHECK(defaults.profile("default").settings == Settings{{"region", "d"}, {"role_arn", "r"}});
    CHECK(defaults.profile("a").settings == Settings{{"region", "a"}});
}

TEST_CASE("what the AWS tools cannot read is refused with file and line, and no key is shown") {
    const auto why = [](const char* text) {
        const auto refused = parse_sections(text, "FILE");
        REQUIRE_FALSE(refused);
        CHECK(refused.error().kind() == ErrorKind::usage);
        return refused.error().line();
    };
    CHECK(why("[a]\nx = 1\n[a]\n").find("FILE: has the section [a] a second time in line 3") == 0);
    CHECK(why("[a]\nx = 1\n\nX = 2\n").find("FILE: has the setting x a second time in line 4") == 0);
    CHECK(why("x = 1\n").find("before any [section] in line 1") != std::string::npos);
    CHECK(why("[a]\nwJalrSECRET\n").find("SECRET") == std::string::npos);
    CHECK(why("[a]\n= SECRET\n").find("in line 2") != std::string::npos);
    CHECK(why("[a\n").find("in line 1") != std::string::npos);
    CHECK(why("[a]\ns3 =\n  nothing\n").find("below s3") != std::string::npos);
}

TEST_CASE("white space around what is given is no part of it; what breaks a header is refused by name") {
    for (const char* given :
         {"KEY", " KEY\n", "KEY\r\n", "\tKEY ", "\xef\xbb\xbfKEY", "\xc2\xa0KEY\xe3\x80\x80", "\xef\xbb\xbf KEY\x1f"}) {
        CHECK_MESSAGE(clean_secret(given, "NAME").value() == "KEY", given);
        CHECK_MESSAGE(clean_header_secret(given, "NAME").value() == "KEY", given);
    }
    CHECK(clean_secret(" \n", "NAME").value().empty());
    CHECK(clean_header_secret("", "NAME").value().empty());
    CHECK(clean_secret("of two words", "NAME").value() == "of two words");
    for (const std::string& given :
         {std::string("SEC\nRET"), std::string("SEC\x1bRET"), std::string("SEC\0RET", 7), std::string("SEC\x7fRET")}) {
        const auto refused = clean_secret(given, "NAME");
        REQUIRE_FALSE(refused);
        CHECK(refused.error().kind() == ErrorKind::usage);
        CHECK(refused.error().line().starts_with("NAME: "));
        CHECK(refused.error().line().find("SEC") == std::string::npos);
    }
    for (const char* given : {"SEC RET", "SEC\xc2\xa0RET", "\xe2\x80\x9cSECRET\xe2\x80\x9d"})
        CHECK_MESSAGE(clean_header_secret(given, "NAME").error().line().find("SEC") == std::string::npos, given);
}

TEST_CASE("each kind of refusal has its action") {
    const auto action = [](int status, const char* code, const char* region = "") {
        return action_of({status, code, "", region, ""});
    };
    CHECK(action(503, "SlowDown") == Action::slow_down);
    CHECK(action(429, "") == Action::slow_down);
    CHECK(action(500, "InternalError") == Action::retry);
    CHECK(action(501, "NotImplemented") == Action::none);
    CHECK(action(403, "RequestTimeTooSkewed") == Action::correct_clock);
    CHECK(action(400, "ExpiredToken") == Action::refresh_credentials);
    CHECK(action(301, "PermanentRedirect", "eu-west-1") == Action::use_region);
    CHECK(action(400, "AuthorizationHeaderMalformed", "eu-west-1") == Action::use_region);
    CHECK(action(301, "PermanentRedirect") == Action::none);
    CHECK(action(403, "AccessDenied") == Action::none);
    CHECK(action(404, "NoSuchKey") == Action::none);
    CHECK(error_of({403, "AccessDenied", "no", "", "R1"}, "s3://b/k").kind() == ErrorKind::denied);
    CHECK(error_of({412, "PreconditionFailed", "", "", ""}, "s3://b/k").kind() == ErrorKind::source_changed);
    CHECK(error_of({404, "NoSuchBucket", "", "", ""}, "s3://b/k").what().find("bucket") != std::string::npos);
}

TEST_CASE("a service that wants the bucket in its host is understood by its code or its words") {
    const auto action = [](int status, const char* code, const char* message) {
        return action_of({status, code, message, "", ""});
    };
    for (const char* code :
         {"PathStyleDomainForbidden", "SecondLevelDomainForbidden", "VirtualHostDomainRequired", "InvalidPathAccess"})
        CHECK_MESSAGE(action(403, code, "") == Action::use_host, code);
    for (const char* message : {"must be addressed using virtual-hosted style", "Please use Virtual Host addressing",
                                "addressed using OSS third level domain.", "path-style access is not supported",
                                "PathStyle is forbidden here"})
        CHECK_MESSAGE(action(400, "InvalidRequest", message) == Action::use_host, message);
    // AWS's own word is about the region; a server's trouble is no wish; a path is not a style.
    CHECK(action(301, "PermanentRedirect",
                 "The bucket you are attempting to access must be addressed using the specified endpoint.") ==
          Action::none);
    CHECK(action(500, "InternalError", "virtual host is down") == Action::retry);
    CHECK(action(403, "AccessDenied", "the path is not yours") == Action::none);
    CHECK(error_of({403, "PathStyleDomainForbidden", "", "", ""}, "s3://b/k").hint().find("--path-style") !=
          std::string::npos);
}

TEST_CASE("Content-Range, ETags and base64 are read strictly") {
    const auto range = parse_content_range("bytes 8388608-16777215/20000000");
    REQUIRE(range);
    CHECK(range->first == 8388608);
    CHECK(range->total == 20000000);
    for (const char* wrong :
         {"", "bytes */5", "bytes 0-4", "bytes 0-4/**", "bytes a-4/5", "items 0-4/5", "bytes 0-4/5x"})
        CHECK_MESSAGE(!parse_content_range(wrong), wrong);
    CHECK(!parse_content_range("bytes 0-4/*")->total_known);
    CHECK(plain_tag("\"abc\"") == "abc");
    CHECK(plain_tag("W/\"abc\"") == "abc");
    CHECK(*from_base64("aGVsbG8=") == "hello");
    CHECK(*from_base64("AAAA") == std::string(3, '\0'));
    for (const char* wrong : {"a", "aGVsbG8", "aG=sbG8=", "====", "a$=="}) CHECK_MESSAGE(!from_base64(wrong), wrong);
}

TEST_CASE("container and web identity answers give credentials with their end, or an error") {
    const auto json = parse_json_credentials(
        R"({"AccessKeyId":"A","SecretAccessKey":"S","Token":"T","Expiration":"2026-01-02T03:04:05Z"})");
    REQUIRE(json);
    CHECK(json->session_token == "T");
    CHECK(json->expires_unix_s == parse_iso8601("2026-01-02T03:04:05Z"));
    CHECK_FALSE(parse_json_credentials("[]"));
    CHECK_FALSE(parse_json_credentials("{\"Code\":\"Failed\"}"));
    const auto sts = parse_sts_answer(
        "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>A</"
        "AccessKeyId><SecretAccessKey>S"
        "</SecretAccessKey><SessionToken>T</SessionToken><Expiration>2026-01-02T03:04:05Z</Expiration></Credentials>"
        "</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>");
    REQUIRE(sts);
    CHECK(sts->access_key == "A");
    CHECK_FALSE(parse_sts_answer("<ErrorResponse><Error><Code>X</Code></Error></ErrorResponse>"));
}

TEST_CASE("concurrency halves once for a burst of 503s and climbs back one by one") {
    transfer::Concurrency concurrency(32);
    concurrency.throttled(1'000'000'000);
    concurrency.throttled(1'100'000'000);
    CHECK(concurrency.now() == 16);
    concurrency.throttled(3'000'000'000);
    CHECK(concurrency.now() == 8);
    for (int i = 0; i < 8; ++i) concurrency.succeeded();
    CHECK(concurrency.now() == 9);
    for (int i = 0; i < 10'000; ++i) concurrency.succeeded();
    CHECK(concurrency.now() == 32);
}

TEST_CASE("what is halved is the number of requests under way, not the most there may be") {
    transfer::Concurrency concurrency(256);
    std::deque<transfer::Concurrency::Waiting> waiting;
    for (int i = 0; i < 100; ++i) waiting.emplace_back(concurrency);
    concurrency.throttled(1'000'000'000);
    CHECK(concurrency.now() == 50);
    waiting.clear();
    concurrency.throttled(3'000'000'000);
    CHECK(concurrency.now() == 16);
}

TEST_CASE("an origin that is down empties the purse of retries; successes fill it again") {
    transfer::RetryBudget budget;
    int granted = 0;
    while (budget.take()) ++granted;
    CHECK(granted == 200);
    for (int i = 0; i < 5; ++i) budget.refund();
    CHECK(budget.take());
    CHECK_FALSE(budget.take());
}

TEST_CASE("key space is cut into even runs") {
    CHECK(cut_points(0, 8).empty());
    CHECK(cut_points(1, 8).empty());
    CHECK(cut_points(2, 8) == std::vector<size_t>{1});
    CHECK(cut_points(16, 4) == std::vector<size_t>{4, 8, 12});
}

TEST_CASE("a source is a prefix, or one version of one object") {
    const auto folder = parse_location("s3://b/models/llama").value();
    CHECK(folder.bucket == "b");
    CHECK(folder.prefix == "models/llama");
    CHECK(folder.object.empty());
    const auto one = parse_location("s3://b/a/what?.bin?versionId=L4kqtJlcp+1").value();
    CHECK(one.prefix == "a/");
    CHECK(one.object == "a/what?.bin");
    CHECK(one.version == "L4kqtJlcp+1");
    CHECK(parse_location("s3://b/key?versionId=null").value().prefix.empty());
    // A '?' alone makes no query, and a folder's '/' ends all doubt.
    CHECK(parse_location("s3://b/who?").value().prefix == "who?");
    CHECK(parse_location("s3://b/q?a=b/").value().prefix == "q?a=b/");
    for (const char* wrong :
         {"s3://", "s3://?versionId=A", "s3://b?versionId=A", "s3://b/?versionId=A", "s3://b/p/?versionId=A",
          "s3://b/k?versionId=", "s3://b/k?versionId=A&x=1", "s3://b/k?x=1", "s3://b/k?versionid=A", "s3://../k"}) {
        INFO(wrong);
        const auto refused = parse_location(wrong);
        REQUIRE_FALSE(refused);
        CHECK(refused.error().kind() == ErrorKind::usage);
        CHECK(refused.error().line().find('\n') == std::string::npos);
    }
}

TEST_CASE("a version that there is not, in S3's and MinIO's words, is not found") {
    const auto kind = [](int status, const char* code) {
        return error_of_version({status, code, "", "", ""}, "s3://b/k?versionId=A").kind();
    };
    CHECK(kind(404, "NoSuchVersion") == ErrorKind::not_found);
    CHECK(kind(400, "InvalidArgument") == ErrorKind::not_found);
    CHECK(kind(405, "MethodNotAllowed") == ErrorKind::not_found);
    CHECK(kind(404, "NoSuchKey") == ErrorKind::not_found);
    CHECK(kind(403, "AccessDenied") == ErrorKind::denied);
    CHECK(kind(400, "AuthorizationHeaderMalformed") == ErrorKind::failed);
}

TEST_CASE("buckets are named in AWS's host, in the path of other endpoints") {
    const auto address = [](const char* source, const Addressing& how) {
        return address_of(parse_location(source).value(), how, "eu-central-1").value();
    };
    CHECK(address("s3://data/p", {}).endpoint.url() == "https://data.s3.eu-central-1.amazonaws.com");
    CHECK(address("s3://data/p", {"", Style::automatic, true, false}).endpoint.url() ==
          "https://data.s3.dualstack.eu-central-1.amazonaws.com");
    CHECK(address("s3://b/p", {"", Style::path, false, false}).path_prefix == "/b");
    CHECK(address("s3://b.c/p", {}).path_prefix == "/b.c");
    CHECK(address("s3://b/p", {"http://127.0.0.1:9000", Style::automatic, false, false}).path_prefix == "/b");
    // A label of a host has 63 bytes at most; buckets of the first years may be longer.
    CHECK(address(("s3://" + std::string(63, 'b')).c_str(), {}).path_prefix.empty());
    CHECK(address(("s3://" + std::string(64, 'b')).c_str(), {}).path_prefix == "/" + std::string(64, 'b'));
    // So may those with capitals and '_', which no host's name keeps: written back, it would name another bucket.
    for (const char* bucket : {"Data", "da_ta", "d"})
        CHECK_MESSAGE(address(("s3://" + std::string(bucket)).c_str(), {}).path_prefix == "/" + std::string(bucket),
                      bucket);
    // Other endpoints have it in the path, below their own; in the host when somebody says so.
    CHECK(address("s3://b/p", {"https://host.example/s3/v1/", Style::automatic, false, false}).path_prefix ==
          "/s3/v1/b");
    CHECK(address("s3://b/p", {"https://host.example/s3/v1/", Style::automatic, false, false}).service_url ==
          "https://host.example/s3/v1");
    CHECK(address("s3://data/p", {"http://host.example:81/s3", Style::host, false, false}).endpoint.url() ==
          "http://data.host.example:81");
    CHECK(address("s3://data/p", {"http://host.example:81/s3", Style::host, false, false}).path_prefix == "/s3");
    CHECK(address("s3://data/p", {"http://minio:9000", Style::host, false, false}).endpoint.host == "data.minio");
    CHECK(address("s3://da.ta/p", {"https://host.example", Style::host, false, false}).endpoint.host ==
          "da.ta.host.example");
    for (const char* bucket : {"s3://Data/p", "s3://da_ta/p", "s3://d..a/p", "s3://-da/p", "s3://da/p"})
        CHECK_MESSAGE(
            address_of(parse_location(bucket).value(), {"https://host.example", Style::host, false, false}, "r")
                    .error()
                    .kind() == ErrorKind::usage,
            bucket);
    for (const char* endpoint : {"http://10.0.0.1", "http://[::1]:9000"})
        CHECK_MESSAGE(address_of(parse_location("s3://data/p").value(), {endpoint, Style::host, false, false}, "r")
                              .error()
                              .kind() == ErrorKind::usage,
                      endpoint);
    CHECK(address("s3://data/p", {"", Style::automatic, true, true}).endpoint.url() ==
          "https://data.s3-fips.dualstack.eu-central-1.amazonaws.com");
    const auto private_link = address(
        "s3://data/p", {"https://bucket.vpce-1a2b.s3.us-east-1.vpce.amazonaws.com", Style::automatic, false, false});
    CHECK(private_link.endpoint.host == "data.bucket.vpce-1a2b.s3.us-east-1.vpce.amazonaws.com");
    CHECK(private_link.service_url == "https://bucket.vpce-1a2b.s3.us-east-1.vpce.amazonaws.com");
}

TEST_CASE("an access point's ARN gives the host, path and signing region of AWS's examples") {
    // The S3 user guide, "Using access points", and the endpoint rules' own examples.
    const auto where =
        parse_location("s3://arn:aws:s3:us-west-2:123456789012:accesspoint/myendpoint/models/llama").value();
    CHECK(where.bucket == "arn:aws:s3:us-west-2:123456789012:accesspoint/myendpoint");
    CHECK(where.prefix == "models/llama");
    const Address plain = address_of(where, {}, "us-east-1").value();
    CHECK(plain.endpoint.url() == "https://myendpoint-123456789012.s3-accesspoint.us-west-2.amazonaws.com");
    CHECK(plain.path_prefix.empty());
    CHECK(plain.region == "us-west-2");
    CHECK(address_of(where, {"", Style::automatic, true, false}, "us-east-1").value().endpoint.url() ==
          "https://myendpoint-123456789012.s3-accesspoint.dualstack.us-west-2.amazonaws.com");
    CHECK(address_of(where, {"https://beta.example.com", Style::automatic, false, false}, "us-east-1")
              .value()
              .endpoint.url() == "https://myendpoint-123456789012.beta.example.com");
    CHECK(address_of(where, {"", Style::path, false, false}, "us-east-1").error().kind() == ErrorKind::usage);
    for (const char* endpoint : {"http://127.0.0.1:9000", "http://localhost", "http://minio:9000", "http://[::1]:80"})
        CHECK_MESSAGE(address_of(where, {endpoint, Style::automatic, false, false}, "us-east-1").error().kind() ==
                          ErrorKind::usage,
                      endpoint);

    const auto host = [](const char* source) {
        return address_of(parse_location(source).value(), {}, "us-east-1").value().endpoint.host;
    };
    CHECK(host("s3://arn:aws-cn:s3:cn-north-1:123456789012:accesspoint:myendpoint") ==
          "myendpoint-123456789012.s3-accesspoint.cn-north-1.amazonaws.com.cn");
    CHECK(host("s3://arn:aws-us-gov:s3:us-gov-west-1:123456789012:accesspoint/myendpoint/") ==
          "myendpoint-123456789012.s3-accesspoint.us-gov-west-1.amazonaws.com");
    // An alias is a bucket's name.
    CHECK(host("s3://my-access-point-hrzrlukc5m36ft7okagglf3gmwluquse1b-s3alias/p") ==
          "my-access-point-hrzrlukc5m36ft7okagglf3gmwluquse1b-s3alias.s3.us-east-1.amazonaws.com");
    const auto version = parse_location("s3://arn:aws:s3:us-west-2:1:accesspoint/a/d/k?versionId=V").value();
    CHECK(version.object == "d/k");
    CHECK(version.prefix == "d/");
}

TEST_CASE("ARNs that cannot be read are refused by name") {
    const auto why = [](const char* source) {
        const auto refused = parse_location(source);
        REQUIRE_FALSE(refused);
        CHECK(refused.error().kind() == ErrorKind::usage);
        return refused.error().what();
    };
    CHECK(why("s3://arn:aws:s3::123456789012:accesspoint/mfzwi23gnjvgw.mrap/p").find("SigV4A") != std::string::npos);
    CHECK(why("s3://arn:aws:s3-object-lambda:us-west-2:123456789012:accesspoint/mybanner").find("Object Lambda") !=
          std::string::npos);
    CHECK(why("s3://arn:aws:s3-outposts:us-west-2:123456789012:outpost/op-1/accesspoint/reports").find("Outposts") !=
          std::string::npos);
    CHECK(why("s3://arn:aws:not-s3:us-west-2:123456789012:accesspoint:myendpoint").find("another service") !=
          std::string::npos);
    CHECK(why("s3://arn:aws:s3:::bucket/key").find("no access point") != std::string::npos);
    CHECK(why("s3://arn:aws:s3:us-west-2:123456789012:").find("no access point") != std::string::npos);
    CHECK(
        why(("s3://arn:aws:s3:us-west-2:123456789012:accesspoint/" + std::string(51, 'a')).c_str()).find("malformed") !=
        std::string::npos);
    CHECK(why(("s3://arn:aws:s3:" + std::string(33, 'r') + ":123456789012:accesspoint/a").c_str()).find("malformed") !=
          std::string::npos);
    CHECK(why("s3://arn:aws:s3/x").find("no whole ARN") != std::string::npos);
    CHECK(why("s3://arn:aws-iso:s3:us-iso-east-1:123456789012:accesspoint/a").find("partition") != std::string::npos);
    CHECK(why("s3://arn:aws:s3:cn-north-1:123456789012:accesspoint/a").find("partition") != std::string::npos);
    for (const char* wrong : {"s3://arn:aws:s3:us-west-2:123456789012:accesspoint/",
                              "s3://arn:aws:s3:us-west-2:123456789012:accesspoint:ap_name",
                              "s3://arn:aws:s3:us-west-2:123456_789012:accesspoint:apname",
                              "s3://arn:aws:s3:us-west -2:123456789012:accesspoint:myendpoint",
                              "s3://arn:aws:s3:us-west-2:123456789012:accesspoint:myendpoint:more-data"})
        CHECK_MESSAGE(why(wrong).find("malformed") != std::string::npos, wrong);
}

TEST_CASE("a chain of profiles gives the roles in the order in which they are assumed") {
    const AwsFiles files = aws_files(
        "[profile last]\nrole_arn = L\nsource_profile = middle\nexternal_id = x\n[profile middle]\nrole_arn = "
        "M\nsource_profile = keys\n"
        "role_session_name = me\nduration_seconds = 3600\n[profile plain]\nregion = r\n"
        "[profile own]\nrole_arn = O\nsource_profile = own\naws_access_key_id = A\naws_secret_access_key = S\n"
        "[profile both]\nrole_arn = B\nsource_profile = own\n[profile instance]\nrole_arn = I\ncredential_source = "
        "Ec2InstanceMetadata\n"
        "[profile token]\nrole_arn = T\nweb_identity_token_file = /t\n[profile after]\nrole_arn = N\nsource_profile = "
        "token\n",
        "[keys]\naws_access_key_id = A\naws_secret_access_key = S\n");
    const auto chain = [&](const char* name) { return role_chain(files, name).value(); };
    const auto last = chain("last");
    REQUIRE(last.roles.size() == 2);
    CHECK(last.roles[0].arn == "M");
    CHECK(last.roles[0].session_name == "me");
    CHECK(last.roles[0].duration_s == 3600);
    CHECK(last.roles[1].arn == "L");
    CHECK(last.roles[1].session_name == "zcdp");
    CHECK(last.roles[1].external_id == "x");
    CHECK(last.profile == "keys");
    CHECK(chain("plain").roles.empty());
    CHECK(chain("absent").roles.empty());
    // A profile's own keys assume its role; as another's source they are used as they are.
    CHECK(chain("own").roles.size() == 1);
    CHECK(chain("own").profile == "own");
    CHECK(chain("both").roles.size() == 1);
    CHECK(chain("instance").source == RoleSource::instance);
    CHECK(chain("token").roles.empty());
    CHECK(chain("after").roles.size() == 1);
    CHECK(chain("after").profile == "token");
}

TEST_CASE("a profile's keys keep the session token of their own file") {
    const AwsFiles files =
        aws_files("[profile a]\nregion = r\naws_access_key_id = A\naws_secret_access_key = S\naws_session_token = T\n",
                  "[a]\naws_access_key_id = B\naws_secret_access_key = U\n");
    CHECK(files.in_credentials("a") == Settings{{"aws_access_key_id", "B"}, {"aws_secret_access_key", "U"}});
    CHECK(files.in_config("a").at("aws_session_token") == "T");
    CHECK(files.profile("a").settings.at("aws_access_key_id") == "B");
}

TEST_CASE("chains of profiles that lead nowhere are refused by name") {
    const auto why = [](const std::string& config, const char* name) {
        const auto refused = role_chain(aws_files(config, ""), name);
        REQUIRE_FALSE(refused);
        CHECK(refused.error().kind() == ErrorKind::usage);
        return refused.error().line();
    };
    CHECK(why("[profile a]\nrole_arn=1\nsource_profile=b\n[profile b]\nrole_arn=2\nsource_profile=c\n[profile "
              "c]\nrole_arn=3\nsource_profile=b\n",
              "a") == "profile c: closes a loop: its source_profile b leads back to it");
    CHECK(why("[profile a]\nrole_arn=1\nsource_profile=a\n", "a").find("loop") != std::string::npos);
    CHECK(why("[profile a]\nrole_arn=1\nsource_profile=b\n", "a").find("there is not: b") != std::string::npos);
    CHECK(why("[profile a]\nrole_arn=1\n", "a").find("neither") != std::string::npos);
    CHECK(why("[profile a]\nrole_arn=1\nsource_profile=b\ncredential_source=Environment\n", "a").find("both") !=
          std::string::npos);
    CHECK(why("[profile a]\nrole_arn=1\ncredential_source=Moon\n", "a").find("Moon") != std::string::npos);
    CHECK(why("[profile a]\nrole_arn=1\nsource_profile=b\nmfa_serial=m\n", "a").find("mfa_serial") !=
          std::string::npos);
    for (const char* duration : {"899", "43201", "hour", "-900"})
        CHECK_MESSAGE(why(std::string("[profile a]\nrole_arn=1\ncredential_source=Environment\nduration_seconds=") +
                              duration + "\n",
                          "a")
                              .find("duration") != std::string::npos,
                      duration);
}

TEST_CASE("STS is asked in the region, and AssumeRole is signed with everything that is said") {
    CHECK(sts_of("", "").value().endpoint.url() == "https://sts.amazonaws.com");
    CHECK(sts_of("", "").value().region == "us-east-1");
    CHECK(sts_of("", "cn-north-1").value().endpoint.url() == "https://sts.cn-north-1.amazonaws.com.cn");
    CHECK(sts_of("http://127.0.0.1:9000", "eu-west-1").value().endpoint.url() == "http://127.0.0.1:9000");
    const Sts sts = sts_of("", "eu-west-1").value();
    Credentials with = kExample;
    with.session_token = "T";
    const auto request = assume_role_request({"arn:aws:iam::1:role/a b", "me", "x&y", 900}, with, sts, 1'369'353'600);
    CHECK(request.method == "POST");
    CHECK(request.body ==
          "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fa%20b&RoleSessionName=me&"
          "ExternalId=x%26y&DurationSeconds=900");
    std::string authorization;
    for (const auto& [name, value] : request.headers)
        if (name == "Authorization") authorization = value;
    CHECK(authorization.find(
              "/20130524/eu-west-1/sts/"
              "aws4_request,SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date;x-amz-security-token,") !=
          std::string::npos);
}

TEST_CASE("a directory bucket is asked at its zone's host, for the service s3express") {
    // The S3 user guide, "Regional and Zonal endpoints for directory buckets".
    const auto where = parse_location("s3://amzn-s3-demo-bucket--usw2-az1--x-s3/set").value();
    CHECK(where.zone == "usw2-az1");
    const Address plain = address_of(where, {}, "us-west-2").value();
    CHECK(plain.endpoint.url() ==
          "https://amzn-s3-demo-bucket--usw2-az1--x-s3.s3express-usw2-az1.us-west-2.amazonaws.com");
    CHECK(plain.path_prefix.empty());
    CHECK(plain.service == "s3express");
    CHECK(plain.region == "us-west-2");
    CHECK(address_of(where, {"", Style::automatic, true, false}, "us-west-2").value().endpoint.host ==
          "amzn-s3-demo-bucket--usw2-az1--x-s3.s3express-usw2-az1.dualstack.us-west-2.amazonaws.com");
    CHECK(address_of(where, {"", Style::path, false, false}, "us-west-2").error().kind() == ErrorKind::usage);
    CHECK(
        address_of(where, {"http://127.0.0.1:9000", Style::automatic, false, false}, "us-west-2").value().path_prefix ==
        "/amzn-s3-demo-bucket--usw2-az1--x-s3");
    CHECK(parse_location("s3://a--b--usw2-lax1-az1--x-s3").value().zone == "usw2-lax1-az1");
    CHECK(parse_location("s3://my-point--use1-az4--xa-s3").value().zone == "use1-az4");
    CHECK(address_of(parse_location("s3://b--use1-az4--x-s4").value(), {}, "us-east-1").value().service == "s3");
    for (const char* wrong : {"s3://data--x-s3/", "s3://--usw2-az1--x-s3", "s3://a----x-s3", "s3://A--usw2-az1--x-s3",
                              "s3://a--abcdefghijklmnopqrstuvwxyz-abcdefghijklmnopqrstuvwxyz-12--x-s3",
                              "s3://b--usw2-az1--x-s3/k?versionId=A"})
        CHECK_MESSAGE(parse_location(wrong).error().kind() == ErrorKind::usage, wrong);
}
