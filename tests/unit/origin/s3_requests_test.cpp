// What S3's requests say: host, target, headers and what they are signed for.
#include <boost/asio/io_context.hpp>

#include "src/origin/s3/s3_protocol.hpp"
#include "tests/support/doctest.hpp"
#include "zcdp/base/random.hpp"

using namespace zcdp;
using namespace zcdp::origin;
using namespace zcdp::origin::s3;

namespace {

struct Prepares {
    Metrics metrics;
    Logger log{system_clock(), 2, LogLevel::off, LogFormat::text};
    std::shared_ptr<S3Bucket> shared;
    std::unique_ptr<Protocol> protocol;

    explicit Prepares(const char* source, OriginOptions options = {}) {
        options.credentials = {
            {"AWS_ACCESS_KEY_ID", "KEY"}, {"AWS_SECRET_ACCESS_KEY", "secret"}, {"AWS_SESSION_TOKEN", "token"}};
        const Machine machine{
            system_fs(), system_clock(), system_random(), metrics, log, [](const char*) { return std::string(); }};
        shared = std::make_shared<S3Bucket>(parse_location(source).value(), options, machine,
                                            AwsSettings::read(options, machine).value());
        REQUIRE(shared->configure());
        protocol = make_s3_protocol(shared);
    }
    Prepared of(const Call& call) {
        asio::io_context loop;
        const auto http = net::make_http_client(loop.get_executor(), {}, system_clock(), metrics, log);
        std::optional<Result<Prepared>> out;
        asio::co_spawn(loop, into(&out, protocol.get(), &call, http.get()), [](std::exception_ptr e) { CHECK(!e); });
        loop.run();
        REQUIRE(out);
        REQUIRE(*out);
        return std::move(**out);
    }

  private:
    static Task<> into(std::optional<Result<Prepared>>* out, Protocol* protocol, const Call* call,
                       net::HttpClient* http) {
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
    Prepares prepares("s3://data/d/k x?versionId=a+b");
    Protocol& protocol = *prepares.protocol;
    CHECK(protocol.single().str() == "d/k x");
    CHECK(protocol.name_of(ObjectKey("d/k x")) == "s3://data/d/k x?versionId=a+b");
    CHECK(prepares.of(protocol.head_call(ObjectKey("d/k x"))).request.target == "/d/k%20x?versionId=a%2Bb");
    const Answer answer({{"etag", "\"e\""}, {"x-amz-version-id", "a+b"}});
    const auto info = protocol.info_of(answer, "", ObjectKey("d/k x")).value();
    CHECK(info.tag.str() == "e@a+b");
    const auto read = prepares.of(protocol.read_call(ObjectKey("d/k x"), {"k x", info.tag, 7, 0, 7}, true));
    CHECK(read.request.target == "/d/k%20x?versionId=a%2Bb");
    CHECK(header(read.request, "If-Match") == "\"e\"");
    CHECK(protocol.tag_of(answer) == info.tag);
    // The same bytes under another version, or of a bucket without versions, have another tag.
    CHECK(Prepares("s3://b/d/k?versionId=c").protocol->tag_of(answer) != info.tag);
    CHECK(Prepares("s3://b/d/").protocol->tag_of(answer).str() == "e");
    CHECK(protocol.info_of(Answer({{"etag", "\"e\""}, {"x-amz-version-id", "other"}}), "", ObjectKey("d/k x"))
              .error()
              .kind() == ErrorKind::refused);
    CHECK(protocol.info_of(Answer({{"etag", "\"e\""}}), "", ObjectKey("d/k x")).error().kind() == ErrorKind::refused);
}

TEST_CASE("without a '/' at its end a source is a folder, until it is found to be the object of that name") {
    Prepares prepares("s3://b/models/llama");
    S3Bucket& shared = *prepares.shared;
    CHECK(shared.object.str() == "models/llama");
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
    for (const auto& [source, prefix] :
         {std::pair("s3://b", ""), std::pair("s3://b/", ""), std::pair("s3://b/models/", "models/"),
          std::pair("s3://b/d/k?versionId=c", "d/")}) {
        INFO(source);
        Prepares other(source);
        CHECK(other.shared->object.empty());
        CHECK(other.shared->prefix() == prefix);
    }
}

TEST_CASE("what was listed under a time is read as unmodified since then, and its answer is compared by the time") {
    Prepares prepares("s3://b/d/");
    Protocol& protocol = *prepares.protocol;
    const auto since = [&](const char* tag) {
        const auto read = prepares.of(protocol.read_call(ObjectKey("d/k"), {"k", Tag(tag), 7, 0, 7}, true)).request;
        CHECK(header(read, "If-Match") ==
              (std::string(tag).starts_with("modified ") ? "" : "\"" + std::string(tag) + "\""));
        return header(read, "If-Unmodified-Since");
    };
    CHECK(since("modified 2024-01-02T03:04:05Z") == "Tue, 02 Jan 2024 03:04:05 GMT");
    CHECK(since("modified 2024-01-02T03:04:05.25Z") == "Tue, 02 Jan 2024 03:04:06 GMT");
    CHECK(since("0123") == "");

    const Answer answer({{"etag", "\"e\""}, {"last-modified", "Tue, 02 Jan 2024 03:04:05 GMT"}});
    CHECK(protocol.tag_like(answer, Tag("modified 2024-01-02T03:04:05.25Z")).str() ==
          "modified 2024-01-02T03:04:05.25Z");
    CHECK(protocol.tag_like(answer, Tag("modified 2024-01-02T03:04:04Z")).str() == "modified 2024-01-02T03:04:05Z");
    CHECK(protocol.tag_like(answer, Tag("x")).str() == "e");
    CHECK(protocol.tag_like(Answer({}), Tag("modified 2024-01-02T03:04:04Z")).str() == "");
    const auto info = protocol.info_of(answer, "", ObjectKey("d/k")).value();
    CHECK(info.has_tag(Tag("modified 2024-01-02T03:04:05.25Z")));
    CHECK_FALSE(info.has_tag(Tag("modified 2024-01-02T03:04:06Z")));
    CHECK(info.has_tag(Tag("e")));
    CHECK_FALSE(info.has_tag(Tag("f")));
    CHECK(protocol.info_of(Answer({}), "", ObjectKey("d/k")).value().has_tag(Tag("modified 2024-01-02T03:04:06Z")));
}

TEST_CASE("extras that a service refuses are left out, of this call, and of all where it does not know them") {
    struct Refusal final : net::Response {
        int code = 0;
        std::string peer_;
        explicit Refusal(int status) : code(status) {}
        int status() const override { return code; }
        std::string_view header(std::string_view) const override { return {}; }
        std::optional<uint64_t> body_bytes() const override { return std::nullopt; }
        Task<Result<size_t>> read_some(std::span<std::byte>) override { co_return size_t{0}; }
        Task<Result<std::string>> read_all(size_t) override { co_return std::string(); }
        const std::string& peer() const override { return peer_; }
    };
    const auto asked = [](const Call& call, std::string_view name) {
        for (const auto& [have, value] : call.query)
            if (have == name) return value;
        for (const auto& [have, value] : call.headers)
            if (have == name) return value;
        return std::string();
    };
    const auto classify = [](Protocol& protocol, Call& call, int status, const char* code, const char* message = "") {
        Tried tried;
        const std::string body =
            std::string("<Error><Code>") + code + "</Code><Message>" + message + "</Message></Error>";
        return protocol.classify(call, {}, Refusal(status), body, "o", tried).action;
    };
    using Action = RetryDecision::Action;
    const ReadSpec spec{"k", Tag("t"), 7, 0, 7};
    Prepares prepares("s3://b/d/");
    Protocol& protocol = *prepares.protocol;
    // Which of many causes a 400 has is not known: this call alone.
    Call read = protocol.read_call(ObjectKey("d/k"), spec, true);
    CHECK(classify(protocol, read, 400, "InvalidArgument") == Action::at_once);
    CHECK(asked(read, "x-amz-checksum-mode").empty());
    CHECK(asked(read, "If-Match") == "\"t\"");
    CHECK(classify(protocol, read, 400, "InvalidArgument") == Action::none);
    CHECK(asked(protocol.read_call(ObjectKey("d/k"), spec, true), "x-amz-checksum-mode") == "ENABLED");
    Call denied = protocol.read_call(ObjectKey("d/k"), spec, true);
    CHECK(classify(protocol, denied, 403, "AccessDenied") == Action::none);
    CHECK(asked(denied, "x-amz-checksum-mode") == "ENABLED");
    CHECK(classify(protocol, denied, 501, "NotImplemented") == Action::at_once);
    CHECK(asked(protocol.read_call(ObjectKey("d/k"), spec, true), "x-amz-checksum-mode").empty());
    CHECK(asked(protocol.head_call(ObjectKey("d/k")), "x-amz-checksum-mode").empty());

    Call page = protocol.page_call({"", "d/a", ""});
    CHECK(classify(protocol, page, 501, "NotImplemented") == Action::at_once);
    CHECK(asked(page, "encoding-type").empty());
    CHECK(asked(page, "list-type") == "2");
    CHECK(asked(page, "start-after") == "d/a");
    CHECK(classify(protocol, page, 501, "NotImplemented") == Action::at_once);
    CHECK(asked(page, "list-type").empty());
    CHECK(asked(page, "marker") == "d/a");
    CHECK(asked(page, "prefix") == "d/");
    CHECK(classify(protocol, page, 501, "NotImplemented") == Action::none);
    // A token that is one is of the kind of listing that gave it.
    CHECK(asked(protocol.page_call({"", "", "d/b", true}), "marker") == "d/b");
    CHECK(asked(protocol.page_call({"", "", "opaque"}), "continuation-token") == "opaque");
    CHECK(asked(protocol.page_call({"", "", "opaque"}), "list-type") == "2");
    CHECK(asked(protocol.page_call({}), "list-type").empty());

    OriginOptions payer;
    payer.request_payer = true;
    Prepares pays("s3://b/d/", payer);
    Call paid = pays.protocol->page_call({});
    classify(*pays.protocol, paid, 501, "NotImplemented");
    CHECK(asked(paid, "x-amz-request-payer") == "requester");
}

TEST_CASE("an access point's requests go to its host, without its name in the path, signed for its region") {
    Prepares prepares("s3://arn:aws:s3:us-west-2:123456789012:accesspoint/finance-docs/reports/");
    const auto read =
        prepares.of(prepares.protocol->read_call(ObjectKey("reports/a b"), {"a b", Tag("e"), 7, 0, 7}, false));
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
    CHECK(
        authorization.find("/us-west-2/s3express/"
                           "aws4_request,SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-s3session-token,") !=
        std::string::npos);
    CHECK(header(page.request, "x-amz-s3session-token") == "its-token");
    CHECK(header(page.request, "x-amz-security-token").empty());
    CHECK_FALSE(prepares.protocol->can_start_after());
}
