// What answers of every protocol share, and the XML and the listings that S3-like services write in their own way.
#include "src/origin/remote/answers.hpp"

#include "src/origin/azure/answers.hpp"
#include "src/origin/remote/xml.hpp"
#include "src/origin/s3/list_page.hpp"
#include "tests/support/doctest.hpp"
#include "zcdp/base/clock.hpp"
#include "zcdp/origin/origin.hpp"

using namespace zcdp;
using namespace zcdp::origin;

namespace {

class Answer final : public net::Response {
  public:
    Answer(int status, std::vector<net::Header> headers) : status_(status), headers_(std::move(headers)) {}
    int status() const override { return status_; }
    std::string_view header(std::string_view name) const override {
        for (const auto& [have, value] : headers_)
            if (have == name) return value;
        return {};
    }
    std::optional<uint64_t> body_bytes() const override { return 0; }
    Task<Result<size_t>> read_some(std::span<std::byte>) override { co_return size_t{0}; }
    Task<Result<std::string>> read_all(size_t) override { co_return std::string(); }
    const std::string& peer() const override { return peer_; }

  private:
    int status_;
    std::vector<net::Header> headers_;
    std::string peer_;
};

constexpr int64_t kNow = 1'800'000'000;

uint64_t pause(int status, std::vector<net::Header> headers) {
    return retry_after_ms_of(Answer(status, std::move(headers)), kNow);
}

/// Fed in pieces of every size up to the whole.
Result<ListPage> parse(const std::string& text) {
    Result<ListPage> last = Error();
    for (size_t piece = 1; piece <= text.size(); piece = piece * 3 + 1) {
        s3::ListParser parser;
        Result<> fed;
        for (size_t at = 0; at < text.size() && fed; at += piece)
            fed = parser.feed(std::string_view(text).substr(at, piece));
        last = fed ? parser.finish() : Result<ListPage>(fed.error());
    }
    return last;
}

std::string listing(const std::string& inside) { return "<ListBucketResult>" + inside + "</ListBucketResult>"; }
std::string object(const std::string& key) {
    return "<Contents><Key>" + key + "</Key><Size>1</Size><ETag>\"t\"</ETag></Contents>";
}

}  // namespace

TEST_CASE("how long an answer asks to be left alone, in every form") {
    CHECK(pause(503, {}) == 0);
    CHECK(pause(503, {{"retry-after", "7"}}) == 7000);
    CHECK(pause(503, {{"retry-after", "0"}}) == 0);
    CHECK(pause(503, {{"retry-after", "86400"}}) == 300'000);
    for (const char* none : {"soon", "-3", "1.5", "Thu, 99 Xyz 2026 00:00:00 GMT", "99999999999999999999999"})
        CHECK_MESSAGE(pause(503, {{"retry-after", none}}) == 0, none);
    CHECK(pause(429, {{"retry-after", http_date(kNow + 90)}}) == 90'000);
    CHECK(pause(429, {{"retry-after", http_date(kNow - 90)}}) == 0);
    CHECK(pause(429, {{"retry-after", http_date(kNow + 90'000)}}) == 300'000);
    CHECK(pause(429, {{"retry-after", http_date(kNow + 90)}, {"date", http_date(kNow + 60)}}) ==
          30'000);  // the server's clock, not ours
    CHECK(pause(503, {{"x-ms-retry-after-ms", "250"}, {"retry-after", "9"}}) == 250);
    CHECK(pause(429, {{"ratelimit", "\"resolvers\";r=0;t=42"}}) == 42'000);
    CHECK(pause(429, {{"ratelimit", "\"api\";r=0;t=5, \"pages\";r=3;t=200, \"files\";r=0;t=8"}}) == 8'000);
    CHECK(pause(429, {{"ratelimit", "\"api\";r=3;t=5"}}) == 0);
    CHECK(pause(429, {{"ratelimit", "r=0;t=x,;,\"\";t=;r="}}) == 0);
    CHECK(pause(500, {{"ratelimit", "\"api\";r=0;t=5"}}) == 0);
}

TEST_CASE("what a status means where a protocol has no words of its own") {
    const std::pair<int, ErrorKind> all[] = {{407, ErrorKind::denied},         {412, ErrorKind::source_changed},
                                             {416, ErrorKind::source_changed}, {429, ErrorKind::throttled},
                                             {503, ErrorKind::throttled},      {500, ErrorKind::unreachable},
                                             {302, ErrorKind::failed},         {418, ErrorKind::failed}};
    for (const auto& [status, kind] : all) {
        const Error error = error_of_status(status, words_of_refusal(false, status, "Code", "why\x01"), "an/object");
        CHECK_MESSAGE(error.kind() == kind, status);
        CHECK(error.object() == "an/object");
    }
    CHECK(words_of_refusal(false, 403, "Code", "why\x01") == "HTTP 403 Code: why\\x01");
    CHECK(words_of_refusal(true, 500, "", "") == "in an answer of HTTP 200,");
}

TEST_CASE("a read is of the object with the tag that was listed") {
    CHECK(!condition_of(Tag("")));
    CHECK(condition_of(Tag("abc")) == net::Header{"If-Match", "\"abc\""});
    CHECK(condition_of(time_tag("2026-01-02T03:04:05Z")) ==
          net::Header{"If-Unmodified-Since", "Fri, 02 Jan 2026 03:04:05 GMT"});
}

TEST_CASE("XML: what says nothing is passed over, CDATA is text, a document type is refused") {
    const auto leaves = xml_leaves(
        "\r\n<?xml version=\"1.0\"?><!-- a -- b --><?x y?>\n<a><!----><b>1<!-- > -->2<![CDATA[<&]]>3</b "
        "><?pi?></a><!-- end -->\n");
    REQUIRE(leaves);
    CHECK(*leaves == std::vector<std::pair<std::string, std::string>>{{"b", "12<&3"}});
    for (const char* wrong : {"<!DOCTYPE a><a/>", "<a><!ENTITY x \"y\"></a>", "<![CDATA[x]]><a/>", "<a><!-- </a>",
                              "<a><![CDATA[</a>", "<a><?x</a>", "<a><!-></a>"})
        CHECK_MESSAGE(!xml_leaves(wrong), wrong);
    std::string many;
    for (int i = 0; i < 300'000; ++i) many += "<!---->\n";
    CHECK(xml_leaves(many + "<a/>"));
    CHECK_FALSE(xml_leaves("<a><!--" + std::string(20'000, '-') + "--></a>"));
}

TEST_CASE("S3 listings: whether there is more, in words of the service's own") {
    for (const char* yes : {"true", "True", "TRUE", "1", " true\n"})
        CHECK_MESSAGE(parse(listing("<IsTruncated>" + std::string(yes) +
                                    "</IsTruncated><NextContinuationToken>t</NextContinuationToken>"))
                          ->truncated,
                      yes);
    for (const char* no : {"false", "False", "0"})
        CHECK_MESSAGE(!parse(listing("<IsTruncated>" + std::string(no) + "</IsTruncated>"))->truncated, no);
    for (const char* neither : {"", "yes", "2", "truefalse"})
        CHECK_MESSAGE(!parse(listing("<IsTruncated>" + std::string(neither) + "</IsTruncated>")), neither);
    CHECK(parse(listing("<NextContinuationToken>t</NextContinuationToken>"))->truncated);
    CHECK_FALSE(parse(listing(""))->truncated);
    const auto page = parse(listing("<Contents>\n<Key> a </Key>\n<Size>\n 12 </Size><ETag> \"t\" </ETag></Contents>"));
    REQUIRE(page);
    CHECK(page->entries.at(0).path == " a ");
    CHECK(page->entries.at(0).size_bytes == 12);
    CHECK(page->entries.at(0).tag.str() == "t");
    CHECK_FALSE(parse(listing("<Contents><Key>a</Key><Size>1 2</Size><ETag>t</ETag></Contents>")));
}

TEST_CASE("S3 listings: a page of the first ListObjects goes on at its marker") {
    const std::string more = "<Marker/><IsTruncated>true</IsTruncated>";
    const auto next_of = [](const std::string& inside) {
        const auto page = parse(listing(inside));
        return page && page->token_is_key ? page->next_token : "no key";
    };
    CHECK(next_of(more + object("a") + object("b")) == "b");
    CHECK(next_of(more + "<EncodingType>url</EncodingType>" + object("a+b%2B")) == "a b+");
    CHECK(next_of(more + "<NextMarker>n%20m</NextMarker><EncodingType>url</EncodingType>" + object("a")) == "n m");
    CHECK(next_of(more + object("a") + "<CommonPrefixes><Prefix>d/</Prefix></CommonPrefixes>") == "d/");
    CHECK(next_of("<IsTruncated>true</IsTruncated>" + object("a")) ==
          "a");                         // one of the second version, without its token
    CHECK_FALSE(parse(listing(more)));  // nothing to go on at
    CHECK(parse(listing("<Marker>a</Marker><IsTruncated>false</IsTruncated>" + object("b")))->next_token.empty());
}

TEST_CASE("Azure listings: a marker is a folder when it is empty, and its bytes are never dropped") {
    const auto blob = [](const char* name, const char* size, const char* more) {
        azure::ListParser parser;
        const std::string text = std::string("<EnumerationResults><Blobs><Blob><Name>") + name +
                                 "</Name><Properties><Etag>t</Etag><Content-Length>" + size + "</Content-Length>" +
                                 more + "</Blob></Blobs></EnumerationResults>";
        REQUIRE(parser.feed(text));
        return parser.finish().value().entries.at(0);
    };
    const char* marked = "</Properties><Metadata><hdi_isfolder>true</hdi_isfolder></Metadata>";
    CHECK(blob("d", "0", marked).kind == EntryKind::directory);
    CHECK(blob("d", "5", marked).kind == EntryKind::file);
    CHECK(blob("d", "5", marked).size_bytes == 5);
    CHECK(blob("d/", "0", "</Properties>").size_bytes == 0);
    CHECK(blob("d/", "5", "</Properties>").size_bytes == 5);  // refused by name where entries are taken in
    CHECK(blob("d", "0", "<ResourceType>directory</ResourceType></Properties>").path == "d/");
}
