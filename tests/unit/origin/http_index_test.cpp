// Indexes of web servers: which of a page's links are names of its folder, and which pages are indexes.
#include "src/origin/http/index.hpp"

#include "src/origin/http/html.hpp"
#include "tests/support/doctest.hpp"

namespace zcdp::origin::http {
namespace {

using Names = std::vector<std::string>;

const char* kFolder = "http://host/d/";

Result<Index> index_of(const std::string& html, const std::string& url = kFolder, const char* type = "text/html") {
    return parse_index(html, type, Place::parse(url).value());
}

Names names_of(const std::string& html, const std::string& url = kFolder, const char* type = "text/html") {
    const auto index = index_of(html, url, type);
    return index ? index->names : Names{"error: " + index.error().what()};
}

Names json_of(const char* text) { return names_of(text, kFolder, "application/json"); }

/// A page with one link.
std::string link(const std::string& href) { return "<a href=\"" + href + "\">x</a>"; }

}  // namespace

TEST_CASE("nginx's index: what is in the folder, sorted, and what leads out of it counted") {
    const auto index = index_of(
                           "<html><head><title>Index of /d/</title></head><body><h1>Index of /d/</h1><hr><pre><a "
                           "href=\"../\">../</a>\n"
                           "<a href=\"sub/\">sub/</a> 21-Nov-2026 14:00 -\n<a href=\"a%20b%26.txt\">a b&amp;.txt</a> "
                           "21-Nov-2026 14:00 3\n"
                           "<a href=\"a-name-that-is-cut-in-what-is-shown.bin\">a-name-that-is-c..&gt;</a><A "
                           "HREF='c'>c</A><a href=\"c\">again</a></pre></body></html>")
                           .value();
    CHECK(index.names == Names{"a b&.txt", "a-name-that-is-cut-in-what-is-shown.bin", "c", "sub/"});
    CHECK(index.elsewhere == 1);
    CHECK(index.says_so);
}

TEST_CASE("Apache's: columns to sort by, absolute links, links elsewhere") {
    const auto index =
        index_of(
            "<a href=\"?C=N;O=D\">Name</a><a href=\"/d/?C=M;O=A\">Date</a><a href=\"/\">Parent Directory</a><a "
            "href=\"/d/x\">x</a><a href=\"/other/y\">y</a><a href=\"//other/d/z\">z</a>"
            "<a href=\"https://other/d/w\">w</a><a href=\"./v\">v</a><a href=\"%2e%2e/\">up</a><a "
            "href=\"#top\">top</a><a name=\"x\"><a href=\"mailto:me@host\">m</a><a href=\"javascript:void(0)\">j</a>"
            "<a href=\"ftp://host/d/f\">f</a><a href=\"\">self</a><a href=\".\">self</a>")
            .value();
    CHECK(index.names == Names{"v", "x"});
    CHECK(index.elsewhere == 13);
    CHECK(index.says_so);
}

TEST_CASE("paths are compared decoded, and without what leads nowhere") {
    const char* parens = "http://host/pub/set%20%281%29/";
    for (const char* same :
         {"/pub/set%20(1)/a.bin", "/pub/set (1)/a.bin", "/pub/set%20%281%29/a.bin", "/pub//./set%20(1)/a.bin",
          "/pub/x/../set%20(1)/%61.bin", "a.bin", "./a.bin", "http://host/pub/set%20(1)/a.bin",
          "HTTP://HOST:80/pub/set%20(1)/a.bin", "//host/pub/set%20(1)/a.bin", "https://host/pub/set%20(1)/a.bin",
          " \n a.b\tin \r\n", "a.bin#part", "%61.bin"}) {
        CAPTURE(same);
        CHECK(names_of(link(same), parens) == Names{"a.bin"});
    }
    for (const char* other : {"/pub/set%20(2)/a.bin", "/pub/Set%20(1)/a.bin", "/pub/set%20(1)", "/pub/set%20(1)/",
                              "/pub/set+(1)/a.bin", "http://host:81/pub/set%20(1)/a.bin"})
        CHECK_MESSAGE(names_of(link(other), parens) == Names{}, other);
    CHECK(names_of(link("/d/\xc3\xa9%c3%A9/"), "http://host/d") ==
          Names{"\xc3\xa9\xc3\xa9/"});  // the page of a folder without its slash
    CHECK(names_of(link("a"), "http://[::1]:8080/d/") == Names{"a"});
    CHECK(names_of(link("http://[::1]:8080/d/a"), "http://[::1]:8080/d/") == Names{"a"});
    CHECK(names_of(link("a") + link("/b/"), "http://host/") == Names{"a", "b/"});
}

TEST_CASE("a '%' that is no escape is one, as are characters that servers leave as they are") {
    CHECK(names_of(link("Now 100% better.mp3") + link("100%25.txt") + link("50%zz") + link("%") +
                   link("a+b;v=1,c@d!~'*") + link("%7")) ==
          Names{"%", "%7", "100%.txt", "50%zz", "Now 100% better.mp3", "a+b;v=1,c@d!~'*"});
}

TEST_CASE("character references: by number and by name, of all of Unicode; and the page's own encoding") {
    CHECK(names_of("<a href=\"./a&#43;b&#x26;c\">Caddy's</a>" + link("&#233;&eacute;&#x1F600;&yuml;&nbsp;&apos;") +
                   link("a&ampb&unknown;")) ==
          Names{"a&ampb&unknown;", "a+b&c", "\xc3\xa9\xc3\xa9\xf0\x9f\x98\x80\xc3\xbf\xc2\xa0'"});
    CHECK(names_of(link("&#0;x")) == Names{"\xef\xbf\xbdx"});
    CHECK(names_of(link("caf\xe9"), kFolder, "text/html; charset=\"ISO-8859-1\"") == Names{"caf\xc3\xa9"});
    CHECK(names_of("<meta charset=latin1>" + link("caf\xe9")) == Names{"caf\xc3\xa9"});
    CHECK(names_of(link("caf\xe9")) == Names{"caf\xe9"});
}

TEST_CASE("tags as browsers read them: no file is passed over, and none is made up") {
    CHECK(names_of("<A HREF=bare>bare</A><a class=x href=two\ntitle=t>two</a><a data-href=\"not\" href='right'>r</a><a "
                   "href=>none</a>"
                   "<a title=\"a>b\" href = \"behind\">b</a><a\nhref=\"lines\"\n>l</a><a/href=slash>s</a><a title=it's "
                   "href=quote>q</a><abbr href=no>n</abbr><link href=no><a href=first href=second>f</a>") ==
          Names{"bare", "behind", "first", "lines", "quote", "right", "slash", "two"});
    CHECK(names_of(
              "<!-- <a href=no> --><script>var x = '<a href=\"no\">';</script><STYLE><a href=no></STYLE><textarea><a "
              "href=no></textarea><a href=yes>y</a><!doctype html>1 < 2 <a href=too>t</a>") == Names{"too", "yes"});
    for (const char* cut :
         {"<a href=\"a\">a</a><a hre", "<a href=\"a\">a</a><a href=\"b", "<a href=a>a</a><!-- b", "<a href="}) {
        CHECK(names_of(cut).at(0).find("is not all there") != std::string::npos);
        CHECK(parse_index(cut, "text/html", Place::parse(kFolder).value(), true).has_value());
    }
}

TEST_CASE("links are relative to what the page says they are") {
    CHECK(names_of("<base href=\"/d/\">" + link("a"), "http://host/d") == Names{"a"});
    CHECK(names_of("<base href=\"http://host/\">" + link("d/a") + link("b")) == Names{"a"});
    CHECK(names_of("<base href=\"http://other/d/\">" + link("a") + link("/d/b")) == Names{});
    CHECK(names_of("<base target=_top>" + link("a")) == Names{"a"});
}

TEST_CASE("what a page links to further down is followed, if the folder between is not listed itself") {
    CHECK(names_of(link("u/v") + link("w/x/") + link("a")) == Names{"a", "u/v", "w/x/"});
    CHECK(names_of(link("u/v") + link("u/") + link("u-x") + link("u/w/x")) == Names{"u-x", "u/"});
}

TEST_CASE("links that name something of the folder and cannot be followed are errors with their names") {
    for (const auto& [href, said] : {std::pair("a%2fb", "a%2fb"),
                                     {"a%00", "a%00"},
                                     {"file.php?get=a.bin", "file.php"},
                                     {"sub/?dir=x", "sub/"},
                                     {"?page=2", "?page=2"},
                                     {"?dir=sub", "?dir=sub"},
                                     {"/d/?C=N&offset=1000", "offset"},
                                     {"odd:name", "odd:name"}}) {
        CAPTURE(href);
        const auto index = index_of(link("a") + link(href));
        REQUIRE(!index);
        CHECK(index.error().kind() == ErrorKind::refused);
        CHECK(index.error().what().find(said) != std::string::npos);
    }
    CHECK(names_of(link("a?download=1") + link("a") + link("sub/?sort=name") + link("sub/") +
                   link("?sort=name&order=desc")) == Names{"a", "sub/"});
    CHECK(names_of(link("./odd:name") + link("12:30.log") + link("odd%3Aname2")) ==
          Names{"12:30.log", "odd:name", "odd:name2"});
}

TEST_CASE("which pages are indexes") {
    for (const char* is :
         {"<title>Index of /d</title>", "<h1>Directory listing for /d/</h1>", "<title>listing directory /d</title>",
          "<a href=\"../\">..</a>", "<a href=..>up</a>", "<a href=\"/\">[To Parent Directory]</a>", "<pre>\n</pre>",
          "<TITLE>Files within d/</TITLE>"})
        CHECK_MESSAGE(index_of(is).value().says_so, is);
    for (const char* is_not :
         {"", "<html><div id=root></div><script src=/app.js></script>", "<a href=\"/\">Home</a><p>Welcome",
          "<h1>Log in</h1><form><input type=password></form><a href=../>back</a>", "not html"})
        CHECK_MESSAGE(!index_of(is_not).value().says_so, is_not);
    CHECK(index_of("<form><INPUT name=p TYPE='Password'></form>").value().asks_for_password);
    CHECK(index_of("<title>listing directory /d/Sub</title>", "http://host/d/Sub").value().names_itself);
    CHECK_FALSE(index_of("<title>Index of /e</title>").value().names_itself);
    CHECK(index_of("[]", kFolder, "application/json").value().says_so);
}

TEST_CASE("indexes in JSON: nginx's and Caddy's, whatever they are called; names that climb are refused") {
    CHECK(json_of(R"([{"name":"b","type":"file","size":3},{"name":"a","type":"directory"}])") == Names{"a/", "b"});
    CHECK(json_of(R"([{"name":"a/","is_dir":true},{"name":"c%20 ?#\u00e9","is_dir":false}])") ==
          Names{"a/", "c%20 ?#\xc3\xa9"});
    CHECK(names_of(R"( [{"name":"a"}])", kFolder, "text/plain") == Names{"a"});
    CHECK(names_of(R"([{"name":"a"}])", kFolder, "Application/JSON; charset=utf-8") == Names{"a"});
    for (const char* wrong : {R"([{"name":".."}])", R"([{"name":"a/b"}])", R"([{"name":"/"}])", R"([{"size":1}])",
                              R"({"name":"a"})", "[", R"(["a"])"}) {
        INFO(wrong);
        CHECK(index_of(wrong, kFolder, "application/json").error().kind() == ErrorKind::refused);
    }
}

TEST_CASE("a redirect to the same place with a slash tells a folder") {
    CHECK(is_folder_of("http://host/a%20(b)/", "http://host/a%20%28b%29"));
    CHECK(is_folder_of("http://host:8080/a/?x",
                       "https://host/a"));  // a server behind a door does not know its own address
    for (const auto& [url, of] : {std::pair("http://host/a", "http://host/a"),
                                  {"http://host/b/", "http://host/a"},
                                  {"http://host/a/", "http://host/a/"},
                                  {"http://host/login/", "http://host/a"},
                                  {"x", "http://host/a"}})
        CHECK_FALSE(is_folder_of(url, of));
}

TEST_CASE("by its name a page") {
    for (const char* page : {"a.html", "A.HTM", "x/y.php"}) CHECK(is_named_as_page(page));
    for (const char* other : {"a", "a.bin", "html", "a.html.gz"}) CHECK_FALSE(is_named_as_page(other));
}

}  // namespace zcdp::origin::http
