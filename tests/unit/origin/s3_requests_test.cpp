// What S3's requests say: host, target, headers and what they are signed for.
#include <boost/asio/io_context.hpp>

#include "src/origin/s3/s3_protocol.hpp"
#include "tests/support/doctest.hpp"

using namespace zcdp;
using namespace zcdp::origin;
using namespace zcdp::origin::s3;

namespace {

struct Prepares {
    Metrics metrics;
    Logger log{system_clock(), 2, LogLevel::off, LogFormat::text};
    std::shared_ptr<Shared> shared;
    std::unique_ptr<Protocol> protocol;

    explicit Prepares(const char* source, OriginOptions options = {}) {
        options.credentials = {{"AWS_ACCESS_KEY_ID", "KEY"}, {"AWS_SECRET_ACCESS_KEY", "secret"}, {"AWS_SESSION_TOKEN", "token"}};
        const Machine machine{system_fs(), system_clock(), system_random(), metrics, log, [](const char*) { return std::string(); }};
        shared = std::make_shared<Shared>(parse_location(source).value(), options, machine, AwsSettings::read(options, machine).value());
        REQUIRE(shared->configure());
        protocol = make_s3_protocol(shared);
    }
    Prepared of(const Call& call) {
        asio::io_context loop;
        const auto http = net::make_http_client(loop.get_executor(), {}, metrics, log);
        std::optional<Result<Prepared>> out;
        asio::co_spawn(loop, into(&out, protocol.get(), &call, http.get()), [](std::exception_ptr e) { CHECK(!e); });
        loop.run();
        REQUIRE(out);
        REQUIRE(*out);
        return std::move(**out);
    }

  private:
    static Task<> into(std::optional<Result<Prepared>>* out, Protocol* protocol, const Call* call, net::HttpClient* http) {
        auto prepared = co_await protocol->prepare(*call, *http);
        out->emplace(std::move(prepared));
    }
};

std::string header(const net::Request& request, std::string_view name) {
    for (const auto& [have, value] : request.headers)
        if (have == name) return value;
    return "";
}

class Answer final : public net::Response {
  public:
    explicit Answer(std::vector<net::Header> headers) : headers_(std::move(headers)) {}
    int status() const override { return 200; }
    std::string_view header(std::string_view name) const override {
        for (const auto& [have, value] : headers_)
            if (have == name) return value;
        return {};
    }
    std::optional<uint64_t> body_bytes() const override { return 7; }
    Task<Result<size_t>> read_some(std::span<std::byte>) override { co_return size_t{0}; }
    Task<Result<std::string>> read_all(size_t) override { co_return std::string(); }
    const std::string& peer() const override { return peer_; }

  private:
    std::vector<net::Header> headers_;
    std::string peer_;
};

}  // namespace

TEST_CASE("a version is asked for by every request, and is part of the tag") {
    Prepares prepares("s3://b/d/k x?versionId=a+b");
    Protocol& protocol = *prepares.protocol;
    CHECK(protocol.single() == "d/k x");
    CHECK(protocol.name_of("d/k x") == "s3://b/d/k x?versionId=a+b");
    CHECK(prepares.of(protocol.head_call("d/k x")).request.target == "/d/k%20x?versionId=a%2Bb");
    const Answer answer({{"etag", "\"e\""}, {"x-amz-version-id", "a+b"}});
    const auto info = protocol.info_of(answer, "", "d/k x").value();
    CHECK(info.tag == "e@a+b");
    const auto read = prepares.of(protocol.read_call("d/k x", {"k x", info.tag, 7, 0, 7}, true));
    CHECK(read.request.target == "/d/k%20x?versionId=a%2Bb");
    CHECK(header(read.request, "If-Match") == "\"e\"");
    CHECK(protocol.tag_of(answer) == info.tag);
    // The same bytes under another version, or of a bucket without versions, have another tag.
    CHECK(Prepares("s3://b/d/k?versionId=c").protocol->tag_of(answer) != info.tag);
    CHECK(Prepares("s3://b/d/").protocol->tag_of(answer) == "e");
    CHECK(protocol.info_of(Answer({{"etag", "\"e\""}, {"x-amz-version-id", "other"}}), "", "d/k x").error().kind() == ErrorKind::refused);
    CHECK(protocol.info_of(Answer({{"etag", "\"e\""}}), "", "d/k x").error().kind() == ErrorKind::refused);
}

TEST_CASE("without a '/' at its end a source is a folder, until it is found to be the object of that name") {
    Prepares prepares("s3://b/models/llama");
    Shared& shared = *prepares.shared;
    CHECK(shared.object == "models/llama");
    CHECK(prepares.protocol->identity().prefix == "models/llama/");
    CHECK(prepares.of(prepares.protocol->page_call({})).request.target.ends_with("&prefix=models%2Fllama%2F"));
    shared.is_object = true;
    // What is kept of it is kept as of its folder's file.
    CHECK(prepares.protocol->identity().prefix == "models/");
    shared.is_object = false;
    CHECK(shared.prefix() == "models/llama/");

    Prepares top("s3://b/k");
    CHECK(top.shared->prefix() == "k/");
    top.shared->is_object = true;
    CHECK(top.shared->prefix().empty());
    for (const auto& [source, prefix] : {std::pair("s3://b", ""), std::pair("s3://b/", ""), std::pair("s3://b/models/", "models/"), std::pair("s3://b/d/k?versionId=c", "d/")}) {
        INFO(source);
        Prepares other(source);
        CHECK(other.shared->object.empty());
        CHECK(other.shared->prefix() == prefix);
    }
}

TEST_CASE("an access point's requests go to its host, without its name in the path, signed for its region") {
    Prepares prepares("s3://arn:aws:s3:us-west-2:123456789012:accesspoint/finance-docs/reports/");
    const auto read = prepares.of(prepares.protocol->read_call("reports/a b", {"a b", "e", 7, 0, 7}, false));
    CHECK(read.endpoint.url() == "https://finance-docs-123456789012.s3-accesspoint.us-west-2.amazonaws.com");
    CHECK(read.request.target == "/reports/a%20b");
    CHECK(header(read.request, "Authorization").find("/us-west-2/s3/aws4_request,") != std::string::npos);
    CHECK(header(read.request, "x-amz-security-token") == "token");
    const auto page = prepares.of(prepares.protocol->page_call({}));
    CHECK(page.request.target == "/?encoding-type=url&list-type=2&max-keys=1000&prefix=reports%2F");
    CHECK(prepares.protocol->identity().bucket == "arn:aws:s3:us-west-2:123456789012:accesspoint/finance-docs");
    CHECK_FALSE(prepares.shared->move_to_region("eu-west-1"));
}

TEST_CASE("a directory bucket's requests carry the session's token in its own header, and are signed for s3express") {
    OriginOptions options;
    options.region = "us-west-2";
    Prepares prepares("s3://data--usw2-az1--x-s3/set/", options);
    prepares.shared->session.set({"SESSION", "its-secret", "its-token", 0});
    const auto page = prepares.of(prepares.protocol->page_call({}));
    const std::string authorization = header(page.request, "Authorization");
    CHECK(page.endpoint.host == "data--usw2-az1--x-s3.s3express-usw2-az1.us-west-2.amazonaws.com");
    CHECK(authorization.starts_with("AWS4-HMAC-SHA256 Credential=SESSION/"));
    CHECK(authorization.find("/us-west-2/s3express/aws4_request,SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-s3session-token,") != std::string::npos);
    CHECK(header(page.request, "x-amz-s3session-token") == "its-token");
    CHECK(header(page.request, "x-amz-security-token").empty());
    CHECK_FALSE(prepares.protocol->is_ordered());
    CHECK_FALSE(prepares.protocol->can_start_after());
}
