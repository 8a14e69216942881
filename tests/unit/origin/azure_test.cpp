// Azure Blob Storage: signatures, listings, errors, addresses.
#include "src/origin/azure/answers.hpp"
#include "src/origin/azure/azure_protocol.hpp"
#include "src/origin/azure/credentials.hpp"
#include "tests/support/doctest.hpp"
#include "zcdp/base/base64.hpp"
#include "zcdp/base/random.hpp"
#include "zcdp/origin/checksums.hpp"

namespace zcdp::origin::azure {
namespace {

Result<ListPage> parse(std::string_view text, size_t piece = 7) {
    ListParser parser;
    for (size_t at = 0; at < text.size(); at += piece) ZCDP_CHECK(parser.feed(text.substr(at, piece)));
    return parser.finish();
}

std::string listing(const std::string& blobs, const std::string& marker = "") {
    return "\xef\xbb\xbf<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults "
           "ServiceEndpoint=\"https://a.blob.core.windows.net/\" ContainerName=\"c\"><Prefix>p/</Prefix><Blobs>" +
           blobs + "</Blobs><NextMarker>" + marker + "</NextMarker></EnumerationResults>";
}

std::string blob(const std::string& name, const std::string& more = "") {
    return "<Blob>" + name +
           "<Properties><Last-Modified>Wed, 09 Sep 2009 09:20:02 "
           "GMT</Last-Modified><Etag>0x8D</Etag><Content-Length>5</Content-Length>" +
           more + "</Properties><Metadata /></Blob>";
}

}  // namespace

TEST_CASE("the text that Shared Key signs, as the documentation's example has it") {
    // learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key: List Blobs, without a body
    const SigningInput input{"GET",
                             "myaccount",
                             "/mycontainer",
                             {{"comp", "metadata"}, {"restype", "container"}, {"timeout", "20"}},
                             {{"x-ms-version", "2014-02-14"}, {"x-ms-date", "Fri, 26 Jun 2015 23:39:12 GMT"}}};
    CHECK(string_to_sign(input) ==
          "GET\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:Fri, 26 Jun 2015 23:39:12 "
          "GMT\nx-ms-version:2014-02-14\n/myaccount/mycontainer\ncomp:metadata\nrestype:container\ntimeout:20");
    const SigningInput range{
        "GET", "a", "/c/k", {}, {{"If-Match", "\"0x8\""}, {"Range", "bytes=0-9"}, {"x-ms-date", "d"}}};
    CHECK(string_to_sign(range) == "GET\n\n\n\n\n\n\n\n\"0x8\"\n\n\nbytes=0-9\nx-ms-date:d\n/a/c/k");
    CHECK(shared_key_authorization(range, "key").starts_with("SharedKey a:"));
}

TEST_CASE("a connection string's members") {
    const char* text =
        "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=aGk9PQ==;BlobEndpoint=http://127.0.0.1:10000/a;";
    CHECK(connection_string_field(text, "AccountKey") == "aGk9PQ==");
    CHECK(connection_string_field(text, "BlobEndpoint") == "http://127.0.0.1:10000/a");
    CHECK(connection_string_field(text, "Key") == "");
}

TEST_CASE("the blob service of a connection string, the Secret's before the environment's") {
    CHECK(blob_endpoint("AccountKey=aGk9PQ==;BlobEndpoint=http://127.0.0.1:10000/a;EndpointSuffix=x", "a") ==
          "http://127.0.0.1:10000/a");
    CHECK(blob_endpoint("DefaultEndpointsProtocol=https;EndpointSuffix=core.chinacloudapi.cn", "a") ==
          "https://a.blob.core.chinacloudapi.cn");
    CHECK(blob_endpoint("AccountKey=aGk9PQ==", "a") == "");

    Metrics metrics;
    Logger log(system_clock(), 2, LogLevel::error, LogFormat::text);
    const auto environment = [](const char* name) -> std::string {
        return std::string(name) == "AZURE_STORAGE_CONNECTION_STRING"
                   ? "BlobEndpoint=http://environment:1;AccountKey=aGk9PQ=="
                   : "";
    };
    const Machine machine{system_fs(), system_clock(), system_random(), metrics, log, environment};
    const auto endpoint_of = [&](const OriginOptions& options) {
        AzureContainer shared("account", "container", "", options, machine);
        REQUIRE(shared.configure());
        return shared.endpoint.url();
    };
    OriginOptions options;
    CHECK(endpoint_of(options) == "http://environment:1");
    options.credentials = {{"AZURE_STORAGE_KEY", "aGk9PQ=="}};
    CHECK(endpoint_of(options) == "https://account.blob.core.windows.net");
    options.credentials = {
        {"AZURE_STORAGE_CONNECTION_STRING", "BlobEndpoint=http://secret:2/account;AccountKey=aGk9PQ=="}};
    CHECK(endpoint_of(options) == "http://secret:2");
    options.endpoint = "http://given:3";
    CHECK(endpoint_of(options) == "http://given:3");
}

TEST_CASE("a page of blobs, folders of both kinds, encoded names, a marker") {
    for (const size_t piece : {1u, 7u, 10000u}) {
        const auto page =
            parse(listing(blob("<Name>p/a &amp; b</Name>") + blob("<Name Encoded=\"true\">p/%EF%BF%BE%2F</Name>") +
                              blob("<Name>p/dir</Name>", "<ResourceType>directory</ResourceType>") +
                              "<Blob><Name>p/hdi</Name><Properties><Etag>e</Etag><Content-Length>0</Content-Length></"
                              "Properties><Metadata><hdi_isfolder>true</hdi_isfolder></Metadata></Blob>" +
                              "<BlobPrefix><Name>p/sub/</Name></BlobPrefix>",
                          "next"),
                  piece)
                .value();
        REQUIRE(page.entries.size() == 4);
        CHECK(page.entries[0].path == "p/a & b");
        CHECK(page.entries[0].size_bytes == 5);
        CHECK(page.entries[0].tag.str() == "0x8D");
        CHECK(page.entries[1].path == "p/\xef\xbf\xbe/");
        CHECK(page.entries[2].path == "p/dir/");
        CHECK(page.entries[2].kind == EntryKind::directory);
        CHECK(page.entries[3].path == "p/hdi/");
        CHECK(page.prefixes == std::vector<std::string>{"p/sub/"});
        CHECK(page.truncated);
        CHECK(page.next_token == "next");
    }
}

TEST_CASE("listings that are none are refused") {
    for (const std::string& text :
         {std::string("<Other/>"), std::string("<EnumerationResults>"), listing("<Blob><Name>a</Name></Blob>"),
          listing("<Blob></Blob>"), listing(blob("<Name Encoded=\"true\">%zz</Name>")),
          listing("<Blob><Name>a</Name><Properties><Content-Length>x</Content-Length></Properties></Blob>")}) {
        INFO(text);
        CHECK(parse(text).error().kind() == ErrorKind::refused);
    }
}

TEST_CASE("errors by code and status, a HEAD's by its header") {
    const auto kind = [](int status, const char* header, const char* body = "") {
        return error_of(parse_error(status, header, body), "o").kind();
    };
    CHECK(kind(404, "BlobNotFound") == ErrorKind::not_found);
    CHECK(kind(403, "", "<Error><Code>AuthenticationFailed</Code><Message>no\nmore</Message></Error>") ==
          ErrorKind::denied);
    CHECK(kind(412, "ConditionNotMet") == ErrorKind::source_changed);
    CHECK(kind(503, "ServerBusy") == ErrorKind::throttled);
    CHECK(kind(500, "OperationTimedOut") == ErrorKind::unreachable);
    CHECK(kind(409, "PublicAccessNotPermitted") == ErrorKind::denied);
    CHECK(kind(409, "BlobArchived") == ErrorKind::refused);
    CHECK(action_of(parse_error(503, "ServerBusy", "")) == RetryDecision::Action::slow_down);
    CHECK(action_of(parse_error(500, "OperationTimedOut", "")) == RetryDecision::Action::retry);
    CHECK(action_of(parse_error(403, "", "")) == RetryDecision::Action::none);
    CHECK(is_unknown_feature(
        parse_error(500, "", "<Error><Code>FeatureNotSupported</Code><Message>strict mode</Message></Error>")));
    CHECK(is_unknown_feature(parse_error(400, "UnsupportedHeader", "")));
    CHECK(!is_unknown_feature(parse_error(500, "InternalError", "")));
}

TEST_CASE("the CRC64 of a range is what the service states, from its lowest byte") {
    // Recorded answers of the service, from the public azure-sdk-for-js (sdk/storage/storage-blob/recordings).
    for (const auto& [content, stated] : {std::pair<std::string, const char*>{"Hello World", "YeJLfssylmU="},
                                          {std::string(512, 'a'), "u661BimQ84c="}}) {
        const auto checksum = crc64_of(stated).value();
        CHECK(checksum.kind == ObjectChecksum::Kind::crc64nvme);
        CHECK(checksum.raw == crc_raw(CrcKind::crc64nvme, Crc::of(CrcKind::crc64nvme, content)));
    }
    CHECK(crc64_of("").value().kind == ObjectChecksum::Kind::none);
    for (const char* wrong : {"YeJLfssyl", "YeJLfssylg==", "YeJLfssylmUA", "%", "65:96:32:cb"}) {
        INFO(wrong);
        CHECK(crc64_of(wrong).error().kind() == ErrorKind::failed);
    }
}

TEST_CASE("where a source is") {
    const auto plain = parse_location("az://account/container/a/b").value();
    CHECK(plain.account == "account");
    CHECK(plain.container == "container");
    CHECK(plain.prefix == "a/b");
    const auto url = parse_location("https://account.blob.core.windows.net/container/a%20b/").value();
    CHECK(url.prefix == "a b/");
    CHECK(url.endpoint == "https://account.blob.core.windows.net");
    CHECK(is_blob_url("https://account.blob.core.chinacloudapi.cn/c"));
    CHECK_FALSE(is_blob_url("https://host/c"));
    for (const char* wrong :
         {"az://", "az://account", "az://Account/container", "az://account/Container_", "az://ab/con"})
        CHECK_FALSE(parse_location(wrong).has_value());
    CHECK(parse_location("https://account-secondary.blob.core.windows.net/container/a").value().account == "account");
    const auto signed_url =
        parse_location("https://account.blob.core.windows.net/container/a%20b?sv=2021&sig=secret%3D").value();
    CHECK(signed_url.prefix == "a b");
    CHECK(signed_url.sas == "sv=2021&sig=secret%3D");
    const auto other = parse_location("https://account.blob.core.windows.net/container?comp=secret");
    CHECK(other.error().line().find("secret") == std::string::npos);
}

TEST_CASE("an MD5 is 16 bytes in base64, or none") {
    CHECK(md5_of("1B2M2Y8AsgTpgAmY7PhCfg==").kind == ObjectChecksum::Kind::md5);
    CHECK(md5_of("abcd").kind == ObjectChecksum::Kind::none);
    CHECK(md5_of("").kind == ObjectChecksum::Kind::none);
}

}  // namespace zcdp::origin::azure
