// Web servers: indexes, lists of digests, trees, redirects.
#include "src/origin/http/http_protocol.hpp"
#include "src/origin/http/pages.hpp"
#include "src/origin/http/shared.hpp"
#include "src/origin/remote/answers.hpp"
#include "tests/support/doctest.hpp"

namespace zcdp::origin::http {
namespace {

using Names = std::vector<std::string>;

const std::string kHex(64, 'a');

/// "ID REVISION FOLDER"; "" for what names no repository.
std::string named(const std::string& source) {
    const auto is = parse_repository(source);
    if (!is) CHECK(is.error().kind() == ErrorKind::usage);
    return is ? is->id + " " + is->revision + " " + is->folder : "";
}

}  // namespace

TEST_CASE("nginx's index: what is in the folder, sorted, and nothing that leads out of it") {
    const char* html = "<html><head><title>Index of /d/</title></head><body><h1>Index of /d/</h1><hr><pre><a href=\"../\">../</a>\n"
                       "<a href=\"sub/\">sub/</a> 21-Nov-2026 14:00 -\n<a href=\"a%20b%26.txt\">a b&amp;.txt</a> 21-Nov-2026 14:00 3\n"
                       "<A HREF='c'>c</A><a href=\"c\">again</a></pre></body></html>";
    CHECK(parse_index(html, "text/html", "/d/").value() == Names{"a b&.txt", "c", "sub/"});
}

TEST_CASE("Apache's: columns to sort by, absolute links, links elsewhere") {
    const char* html = "<a href=\"?C=N;O=D\">Name</a><a href=\"/\">Parent</a><a href=\"/d/x\">x</a><a href=\"/other/y\">y</a><a href=\"//host/z\">z</a>"
                       "<a href=\"https://host/w\">w</a><a href=\"./v\">v</a><a href=\"u/v\">deeper</a><a href=\"%2e%2e/\">up</a><a href=\"a%2fb\">slash</a><a href=\"#top\">top</a><a name=\"x\">";
    CHECK(parse_index(html, "text/html;charset=UTF-8", "/d/").value() == Names{"v", "x"});
}

TEST_CASE("links without quotes, characters by their numbers, attributes that only end in href: no file is passed over") {
    const char* html = "<A HREF=bare>bare</A><a class=x href=two\ntitle=t>two</a><a href=\"./a&#43;b&#x26;c\">Caddy's</a>"
                       "<a data-href=\"not\" href='right'>r</a><a href=>none</a><a href=\"&#0;x\">none</a>";
    CHECK(parse_index(html, "text/html", "/d/").value() == Names{"a+b&c", "bare", "right", "two"});
}

TEST_CASE("indexes in JSON: nginx's and Caddy's; names that climb are refused") {
    CHECK(parse_index(R"([{"name":"b","type":"file","size":3},{"name":"a","type":"directory"}])", "application/json", "/").value() == Names{"a/", "b"});
    CHECK(parse_index(R"([{"name":"a/","is_dir":true},{"name":"c","is_dir":false}])", "application/json", "/").value() == Names{"a/", "c"});
    for (const char* wrong : {R"([{"name":".."}])", R"([{"name":"a/b"}])", R"([{"size":1}])", R"({"name":"a"})", "[", R"(["a"])"}) {
        INFO(wrong);
        CHECK(parse_index(wrong, "application/json", "/").error().kind() == ErrorKind::refused);
    }
}

TEST_CASE("lists of digests as sha256sum writes them") {
    const auto sums = parse_sums("# comment\r\n" + kHex + "  plain\r\n" + kHex + " *./binary\n\\" + kHex + "  with\\nnewline\\\\\nSHA256 (b s d) = " + kHex + "\n\n").value();
    REQUIRE(sums.size() == 4);
    CHECK(sums[0].path == "plain");
    CHECK(sums[1].path == "binary");
    CHECK(sums[2].path == "with\nnewline\\");
    CHECK(sums[3].path == "b s d");
    CHECK(sums[0].sha256 == std::string(32, '\xaa'));
    for (const std::string& wrong : {std::string(kHex), kHex + "  -", kHex + " ", kHex + "x y", "SHA256(x) " + kHex, "SHA256(x=" + kHex, kHex.substr(1) + "  x", "\\" + kHex + "  a\\q", std::string("SHA256 (x) = 12"), "<html>" + kHex + "  x"}) {
        INFO(wrong);
        CHECK(parse_sums(wrong).error().kind() == ErrorKind::refused);
    }
    const auto others = parse_sums("\xef\xbb\xbf" + kHex + " bsd -r\nSHA256(open ssl)= " + kHex + "\nSHA2-256(a)b)= " + kHex + "\n" + kHex + "\ttab\n").value();
    REQUIRE(others.size() == 4);
    CHECK(others[0].path == "bsd -r");
    CHECK(others[1].path == "open ssl");
    CHECK(others[2].path == "a)b");
    CHECK(others[3].path == "tab");
    for (const std::string& alone : {kHex, kHex + "\r\n", kHex + "  -\n"}) {
        CAPTURE(alone);
        CHECK(parse_sums(alone, "model.bin").value().at(0).path == "model.bin");
    }
    for (const char* name : {"SHA256SUMS", "sha256sums.txt", "SHA256SUM", "model.sha256", "checksums.txt"}) CHECK(is_sums_file(name));
    for (const char* name : {"model.bin", "SHA256SUMS.gpg", "SHA512SUMS"}) CHECK_FALSE(is_sums_file(name));
}

TEST_CASE("a repository's tree: LFS files by their sha256, folders left out") {
    const auto files = parse_tree(R"([{"type":"directory","path":"d","oid":"1"},{"type":"file","path":"d/a","oid":"0f","size":3},)"
                                  R"({"type":"file","path":"m","oid":"1e","size":134,"lfs":{"oid":")" + kHex + R"(","size":99,"pointerSize":134},"xetHash":"x"}])").value();
    REQUIRE(files.size() == 2);
    CHECK(files[0].entry.tag == "0f");
    CHECK(files[0].sha256.empty());
    CHECK(files[1].entry.size_bytes == 99);
    CHECK(files[1].sha256 == std::string(32, '\xaa'));
    for (const char* wrong : {R"({"error":"x"})", R"([1])", R"([{"type":"file","path":"a","size":1}])", R"([{"type":"file","path":"a","oid":"1","size":1,"lfs":{"oid":"short","size":1}}])"})
        CHECK(parse_tree(wrong).error().kind() == ErrorKind::refused);
    CHECK(next_link("<https://h/a?cursor=1>; rel=\"next\"") == "https://h/a?cursor=1");
    CHECK(next_link("<https://h/p>; rel=\"prev\", <https://h/n>; rel=\"next\"") == "https://h/n");
    CHECK(next_link("nonsense") == "");
}

TEST_CASE("a repository of an ORG: kind, revision and folder") {
    CHECK(named("hf://org/name") == "models/org/name main ");
    CHECK(named("hf://org/name/") == "models/org/name main ");
    CHECK(named("hf://org/name/a/b") == "models/org/name main a/b/");
    CHECK(named("hf://org/name@v1/a@b/") == "models/org/name v1 a@b/");
    CHECK(named("hf://org/name@refs/pr/1/a") == "models/org/name refs/pr/1 a/");
    CHECK(named("hf://org/name@refs%2Fpr%2F1") == "models/org/name refs/pr/1 ");
    CHECK(named("hf://models/org/name") == "models/org/name main ");
    CHECK(named("hf://datasets/org/name@v1/a") == "datasets/org/name v1 a/");
    CHECK(named("hf://spaces/org/name") == "spaces/org/name main ");
    CHECK(named("hf://datasets/spaces/name") == "datasets/spaces/name main ");
}

TEST_CASE("a repository without an ORG: what can be nothing else is one, NAME/FOLDER is an ORG/NAME") {
    CHECK(named("hf://gpt2") == "models/gpt2 main ");
    CHECK(named("hf://gpt2/") == "models/gpt2 main ");
    CHECK(named("hf://gpt2@v1") == "models/gpt2 v1 ");
    CHECK(named("hf://gpt2@v1/onnx/a") == "models/gpt2 v1 onnx/a/");
    CHECK(named("hf://gpt2@refs/pr/1/onnx") == "models/gpt2 refs/pr/1 onnx/");
    CHECK(named("hf://models/gpt2") == "models/gpt2 main ");
    CHECK(named("hf://datasets/squad") == "datasets/squad main ");
    CHECK(named("hf://datasets/squad@v1/plain_text/") == "datasets/squad v1 plain_text/");
    CHECK(named("hf://gpt2/onnx") == "models/gpt2/onnx main ");
    CHECK(named("hf://datasets/squad/plain_text") == "datasets/squad/plain_text main ");
    for (const char* wrong : {"hf://", "hf:///", "hf:///name", "hf://org//a", "hf://org/@v1", "hf://@v1", "hf://gpt2@", "hf://gpt2@/onnx", "hf://gpt2@%zz", "hf://.", "hf://..", "hf://a b",
                              "hf://models", "hf://datasets", "hf://datasets/", "hf://spaces", "hf://spaces/name", "hf://spaces/name@v1"})
        CHECK_MESSAGE(named(wrong) == "", wrong);
}

TEST_CASE("redirects: relative ones, other hosts, never from https to http") {
    const auto secure = net::Endpoint::parse("https://h:444").value();
    const auto plain = net::Endpoint::parse("http://h").value();
    CHECK(redirected(secure, "/a/b?x", "c").value() == "https://h:444/a/c");
    CHECK(redirected(secure, "/a/b", "/c?y").value() == "https://h:444/c?y");
    CHECK(redirected(secure, "/a/b/f?x", "../c").value() == "https://h:444/a/c");
    CHECK(redirected(secure, "/a/b/f", "./../../../c/./d/").value() == "https://h:444/c/d/");
    CHECK(redirected(secure, "/a/b/f", "/x/../y/..").value() == "https://h:444/");
    CHECK(redirected(secure, "/a/b", "?u=http://o/../p").value() == "https://h:444/a/b?u=http://o/../p");
    CHECK(redirected(secure, "/a/b", "c?u=http://o").value() == "https://h:444/a/c?u=http://o");
    CHECK(redirected(plain, "/a", "HTTP://other/c").value() == "http://other/c");
    CHECK(redirected(plain, "/a", "//other/c").value() == "http://other/c");
    CHECK(redirected(plain, "/a", "https://other/c").value() == "https://other/c");
    for (const char* wrong : {"http://h/c", "", "ftp://h/c", "https://user@h/c"}) CHECK_FALSE(redirected(secure, "/a", wrong).has_value());
}

TEST_CASE("a URL's path and query are sent as they are, so no control byte is in them and no space") {
    CHECK(split_url("https://h/a b?c d#e f").value().second == "/a%20b?c%20d");
    CHECK(split_url("https://h/\xc3\xbc?\xfc=1").value().second == "/%C3%BC?%FC=1");
    CHECK(split_url("https://h").value().second == "/");
    for (const std::string wrong : {"https://h/a\r\nX: y", "https://h/a\n", "https://h/?a\tb", "https://h/\x7f"})
        CHECK_MESSAGE(split_url(wrong).error().kind() == ErrorKind::usage, wrong);
    CHECK(split_url(std::string("https://h/a\0b", 13)).error().line() == "https://h/a\\x00b: has a control byte; write it URL-encoded");
    CHECK_FALSE(redirected(net::Endpoint::parse("https://h").value(), "/a", "/b\nX: y").has_value());
}

}  // namespace zcdp::origin::http
