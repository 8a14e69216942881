// What services write in their listings, and how a listing is divided and put together: pages, points, times for tags.
#include "src/origin/remote/points.hpp"
#include "src/origin/s3/answers.hpp"
#include "src/origin/s3/list_page.hpp"
#include "tests/support/doctest.hpp"

using namespace zcdp;
using namespace zcdp::origin;

namespace {

Result<ListPage> parse(std::string_view text, size_t piece = 7) {
    s3::ListParser parser;
    for (size_t at = 0; at < text.size(); at += piece) ZCDP_CHECK(parser.feed(text.substr(at, piece)));
    return parser.finish();
}

std::string object(const std::string& key, const std::string& more = "<ETag>\"e\"</ETag>") {
    return "<Contents><Key>" + key + "</Key>" + more + "<Size>5</Size></Contents>";
}
std::string listing(const std::string& inside) { return "<ListBucketResult>" + inside + "</ListBucketResult>"; }
std::string encoded(const std::string& keys) { return listing("<EncodingType>url</EncodingType>" + keys); }

std::vector<std::string> keys(const Result<ListPage>& page) {
    std::vector<std::string> out;
    REQUIRE(page);
    for (const Entry& entry : page->entries) out.push_back(entry.path);
    return out;
}
using Keys = std::vector<std::string>;

ListPage children(Keys files, Keys prefixes) {
    ListPage page;
    for (std::string& name : files) page.entries.emplace_back().path = std::move(name);
    page.prefixes = std::move(prefixes);
    return page;
}
std::vector<Entry> entries(const Keys& names) { return children(names, {}).entries; }

}  // namespace

TEST_CASE(
    "what says nothing changes nothing: marks, instructions, comments, CDATA, prefixes, unknown elements, white "
    "space") {
    for (const size_t piece : {1u, 7u, 100'000u}) {
        CAPTURE(piece);
        const auto page = parse(
            "\xef\xbb\xbf \n<?xml version='1.0'?>\r\n<!-- a <gateway> --><?pi x?><n:ListBucketResult "
            "xmlns:n='u'>\n<n:KeyCount>17</n:KeyCount>"
            "<n:Contents><n:Key>a<!-- - -->&amp;<![CDATA[<b>]]></n:Key><n:ETag>e</n:ETag><n:Size> 5\n</n:Size><n:Weird "
            "x='1'><n:Deep/></n:Weird></n:Contents>\n"
            "<n:IsTruncated> True "
            "</n:IsTruncated><n:NextContinuationToken>t</n:NextContinuationToken></n:ListBucketResult>\n<!-- end -->",
            piece);
        CHECK(keys(page) == Keys{"a&<b>"});
        CHECK(page->entries[0].tag.str() == "e");
        CHECK(page->entries[0].size_bytes == 5);
        CHECK(page->truncated);
        CHECK(page->next_token == "t");
    }
    for (const std::string& bad : {std::string("<!DOCTYPE x><ListBucketResult/>"), "<!--" + std::string(20'000, '-'),
                                   std::string("<ListBucketResult><![CDATA[x"), std::string("x<ListBucketResult/>"),
                                   std::string("<![CDATA[x]]><ListBucketResult/>")})
        CHECK(parse(bad).error().kind() == ErrorKind::refused);
    std::string comments;
    for (int i = 0; i < 200'000; ++i) comments += "<!---->\n";
    CHECK(keys(parse(comments + listing(object("a")), 65'536)) == Keys{"a"});
}

TEST_CASE("keys are decoded as the service has encoded them") {
    CHECK(keys(parse(encoded(object("a+b%2Bc%3D") + object("d+e")))) == Keys{"a b+c=", "d e"});  // AWS
    CHECK(keys(parse(encoded(object("a%20b+c") + object("d+e")))) ==
          Keys{"a b+c", "d+e"});  // a space is %20, so '+' is itself
    CHECK(keys(parse(encoded(object("x=1,y:2") + object("d+e")))) ==
          Keys{"x=1,y:2", "d+e"});                              // and where AWS would have encoded more
    CHECK(keys(parse(encoded(object("a+b")))) == Keys{"a b"});  // nothing tells: AWS
    CHECK(keys(parse(encoded(object("100%") + object("a%20b") + object("c+d")))) ==
          Keys{"100%", "a%20b", "c+d"});  // says that it encodes, and does not
    CHECK(keys(parse(encoded(object("a b%2Bc") + object("d+e")))) == Keys{"a b%2Bc", "d+e"});
    CHECK(keys(parse(listing(object("a+b%20") + "<EncodingType/>"))) == Keys{"a+b%20"});
    CHECK(parse(listing("<EncodingType>base64</EncodingType>")).error().kind() == ErrorKind::refused);
}

TEST_CASE("an object without a tag has its time for one; a folder's marker needs neither") {
    const auto page = parse(
        listing(object("d/", "") + object("a", "<LastModified>2024-01-02T03:04:05.250Z</LastModified><ETag></ETag>") +
                object("b", "<LastModified>2024-01-02T03:04:00.000+00:00</LastModified>") +
                object("c", "<LastModified>2024-01-02T03:04:05Z</LastModified><ETag>&quot;e&quot;</ETag>") +
                "<Contents><Key>e/</Key></Contents>"));
    CHECK(keys(page) == Keys{"d/", "a", "b", "c", "e/"});
    CHECK(page->entries[0].tag.str() == "");
    CHECK(page->entries[0].kind == EntryKind::directory);
    CHECK(page->entries[1].tag.str() == "modified 2024-01-02T03:04:05.25Z");
    CHECK(page->entries[2].tag.str() == "modified 2024-01-02T03:04:00Z");
    CHECK(page->entries[3].tag.str() == "e");
    CHECK(time_of_tag(page->entries[1].tag) == 1704164645);
    CHECK(time_of_tag(Tag("2024-01-02T03:04:05Z")) == std::nullopt);
    CHECK(time_of_tag(Tag("modified yesterday")) == std::nullopt);
    for (const char* more : {"", "<ETag/>", "<LastModified>yesterday</LastModified>"})
        CHECK(parse(listing(object("a", more))).error().kind() == ErrorKind::refused);
    CHECK(parse(listing("<Contents><Key>a</Key><ETag>e</ETag></Contents>")).error().kind() == ErrorKind::refused);
}

TEST_CASE("what is more is found by the token, by the older ListObjects' marker, else by the last key") {
    const auto next = [](const std::string& inside) { return parse(listing(inside)).value(); };
    CHECK_FALSE(next(object("a") + "<IsTruncated>false</IsTruncated><NextContinuationToken>t</NextContinuationToken>")
                    .truncated);
    CHECK(next(object("a") + "<NextContinuationToken>t</NextContinuationToken>").next_token ==
          "t");  // no IsTruncated at all
    CHECK_FALSE(next(object("a") + "<NextContinuationToken/>").truncated);
    const auto token =
        next("<IsTruncated>true</IsTruncated><NextContinuationToken>t+%41</NextContinuationToken>" + object("a"));
    CHECK(token.next_token == "t+%41");
    CHECK_FALSE(token.token_is_key);
    const auto key = next("<IsTruncated>true</IsTruncated>" + object("a") + object("b"));
    CHECK(key.next_token == "b");
    CHECK(key.token_is_key);
    const auto marker = next(
        "<EncodingType>url</EncodingType><IsTruncated>true</IsTruncated><NextMarker>b%20c</NextMarker>" + object("a"));
    CHECK(marker.next_token == "b c");
    CHECK(marker.token_is_key);
    CHECK(parse(listing("<IsTruncated>true</IsTruncated>")).error().kind() ==
          ErrorKind::refused);  // and no way to go on
}

TEST_CASE("an error instead of a page is shown as it is, and has its code's status") {
    const std::string text = "<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>less</Message></Error>";
    for (const size_t piece : {1u, 1000u}) {
        s3::ListParser parser;
        for (size_t at = 0; at < text.size(); at += piece)
            REQUIRE(parser.feed(std::string_view(text).substr(at, piece)));
        CHECK(parser.finish().error().kind() == ErrorKind::refused);
        CHECK(parser.refusal() == text);
    }
    s3::ListParser page;
    REQUIRE(page.feed(listing(object("Error"))));
    CHECK(page.refusal() == "");
    s3::ListParser html;
    REQUIRE(html.feed("<html><Error/></html>"));
    CHECK(html.finish().error().kind() == ErrorKind::refused);
    CHECK(html.refusal() == "");
}

TEST_CASE("points: the children of a prefix cut what lies after a key, and all of them must come") {
    const ListPage page = children({"p/a", "p/c", "p/x"}, {"p/b/", "p/d/", "p/e/"});
    Points points(page, "p/", "p/b/1");
    CHECK(points.size() == 5);  // b/ goes on
    const auto ranges = points.ranges("p/b/1", 5);
    REQUIRE(ranges.size() == 5);
    CHECK(ranges[0].until == "p/c");
    CHECK(ranges[1].after == "p/b/\xf4\x8f\xbf\xbf");
    CHECK(ranges[2].after == "p/c");
    CHECK(ranges[4].until == "");
    CHECK(points.pass(entries({"p/b/2", "p/c"})));
    CHECK_FALSE(points.all_passed());
    CHECK(points.pass(entries({"p/cc", "p/d/1", "p/d/2", "p/e/1", "p/x", "p/z"})));  // two that are new since
    CHECK(points.all_passed());

    Points another(page, "p/", "p/b/1");
    CHECK(another.pass(entries({"p/c"})));
    CHECK_FALSE(another.pass(entries({"p/e/1"})));  // nothing of d/
    Points cut(page, "p/", "p/b/1");
    CHECK(cut.pass(entries({"p/c", "p/d/1", "p/e/1"})));
    CHECK_FALSE(cut.all_passed());  // nor x
}

TEST_CASE("there are no points where a service lists its children in another order, or passes over the delimiter") {
    CHECK(Points(children({}, {"p/lib/", "p/lib-2/"}), "p/", "p/a").size() == 0);
    CHECK(Points(children({"p/b", "p/A"}, {}), "p/", "p/a").size() == 0);
    CHECK(Points(children({"p/b", "p/c/d"}, {}), "p/", "p/a").size() == 0);
    CHECK(Points(children({}, {"q/b/", "q/c/"}), "p/", "p/a").size() == 0);
    CHECK(Points(children({"p/"}, {"p/b/", "p/c/"}), "p/", "p/a").size() == 2);
}

TEST_CASE("an archived object is refused input: restore it") {
    const auto error =
        s3::error_of({403, "InvalidObjectState", "not valid for the object's storage class", "", ""}, "s3://b/k");
    CHECK(error.kind() == ErrorKind::refused);
    CHECK(error.line().find("archived") != std::string::npos);
    CHECK(error.line().find("restore") != std::string::npos);
}
