// Web servers: indexes, lists of digests, trees, redirects.
#include "src/origin/http/http_protocol.hpp"
#include "src/origin/http/hub.hpp"
#include "src/origin/http/web_source.hpp"
#include "src/origin/remote/answers.hpp"
#include "tests/support/doctest.hpp"

namespace zcdp::origin::http {
namespace {

const std::string kHex(64, 'a');

/// "ID REVISION FOLDER"; "" for what names no repository.
std::string named(const std::string& source) {
    const auto is = parse_repository(source);
    if (!is) CHECK(is.error().kind() == ErrorKind::usage);
    return is ? is->id + " " + is->revision + " " + is->folder : "";
}

}  // namespace

TEST_CASE("a repository's tree: LFS files by their sha256, folders counted") {
    const auto page =
        parse_tree(R"([{"type":"directory","path":"d","oid":"1"},{"type":"file","path":"d/a","oid":"0f","size":3},)"
                   R"({"type":"file","path":"m","oid":"1e","size":134,"lfs":{"oid":")" +
                   kHex + R"(","size":99,"pointerSize":134},"xetHash":"x"}])")
            .value();
    const auto& files = page.files;
    CHECK(page.folders == 1);
    REQUIRE(files.size() == 2);
    CHECK(files[0].entry.tag.str() == "0f");
    CHECK(files[0].sha256.empty());
    CHECK(files[1].entry.size_bytes == 99);
    CHECK(files[1].sha256 == std::string(32, '\xaa'));
    for (const char* wrong : {R"({"error":"x"})", R"([1])", R"([{"type":"file","path":"a","size":1}])",
                              R"([{"type":"link","path":"a","oid":"1","size":1}])",
                              R"([{"type":"file","path":"a","oid":"1","size":1,"lfs":{"oid":"short","size":1}}])"})
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
    for (const char* wrong :
         {"hf://", "hf:///", "hf:///name", "hf://org//a", "hf://org/@v1", "hf://@v1", "hf://gpt2@", "hf://gpt2@/onnx",
          "hf://gpt2@%zz", "hf://.", "hf://..", "hf://a b", "hf://models", "hf://datasets", "hf://datasets/",
          "hf://spaces", "hf://spaces/name", "hf://spaces/name@v1"})
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
    CHECK(redirected(secure, "/a/b?x=/y", "c?next=http://other/").value() == "https://h:444/a/c?next=http://other/");
    CHECK(redirected(secure, "/a/b?x", "?y").value() == "https://h:444/a/b?y");
    CHECK(redirected(plain, "/a", "//other/c").value() == "http://other/c");
    CHECK(redirected(plain, "/a", "https://other/c").value() == "https://other/c");
    for (const char* wrong : {"http://h/c", "", "ftp://h/c", "https://user@h/c"})
        CHECK_FALSE(redirected(secure, "/a", wrong).has_value());
}

TEST_CASE("a URL's path and query are sent as they are, so no control byte is in them and no space") {
    CHECK(split_url("https://h/a b?c d#e f").value().second == "/a%20b?c%20d");
    CHECK(split_url("https://h/\xc3\xbc?\xfc=1").value().second == "/%C3%BC?%FC=1");
    CHECK(split_url("https://h").value().second == "/");
    for (const std::string wrong : {"https://h/a\r\nX: y", "https://h/a\n", "https://h/?a\tb", "https://h/\x7f"})
        CHECK_MESSAGE(split_url(wrong).error().kind() == ErrorKind::usage, wrong);
    CHECK(split_url(std::string("https://h/a\0b", 13)).error().line() ==
          "https://h/a\\x00b: has a control byte; write it URL-encoded");
    CHECK_FALSE(redirected(net::Endpoint::parse("https://h").value(), "/a", "/b\nX: y").has_value());
}

TEST_CASE(
    "what a mirror passes on of the hub's own addresses is asked for at the mirror, below its path; all else stays") {
    const auto plain = net::BaseUrl::parse("http://mirror:81").value(),
               deep = net::BaseUrl::parse("https://company/artifactory/api/hub/").value();
    const std::string tree = "/api/models/org/name/tree/main?recursive=true&cursor=a%3D",
                      file = "/datasets/org/name/resolve/main/a/b.bin";
    for (const char* host :
         {"https://huggingface.co", "https://hf.co", "http://huggingface.co", "//huggingface.co", ""}) {
        CAPTURE(host);
        CHECK(at_base(plain, host + tree) == "http://mirror:81" + tree);
        CHECK(at_base(deep, host + tree) == "https://company/artifactory/api/hub" + tree);
        CHECK(at_base(deep, host + file) == "https://company/artifactory/api/hub" + file);
    }
    CHECK(at_base(deep, "https://company" + tree) == "https://company/artifactory/api/hub" + tree);
    CHECK(at_base(deep, "/artifactory/api/hub" + tree) == "https://company/artifactory/api/hub" + tree);
    for (const char* stays : {"https://cdn-lfs.huggingface.co/repos/a?sig=1", "https://cas-bridge.xethub.hf.co/api/x",
                              "https://other/api/models/a", "/login", "next", "https://huggingface.co/login", "", "//"})
        CHECK(at_base(deep, stays) == stays);
}

TEST_CASE("a repository's page is told from its files, at the hub and at the mirror that is in use") {
    const std::vector<net::BaseUrl> mirror{net::BaseUrl::parse("https://mirror.example/hub").value()};
    const auto page = [&](const std::string& url) {
        const auto where = split_url(url).value();
        return repository_of_page(where.first, where.second, mirror);
    };
    CHECK(page("https://huggingface.co/org/model") == "hf://org/model");
    CHECK(page("https://huggingface.co/org/model/") == "hf://org/model");
    CHECK(page("https://huggingface.co/org/model?library=transformers") == "hf://org/model");
    CHECK(page("https://huggingface.co/gpt2") == "hf://gpt2");
    CHECK(page("https://huggingface.co/datasets/squad") == "hf://datasets/squad");
    CHECK(page("https://huggingface.co/datasets/org/set/tree/main/data/train") ==
          "hf://datasets/org/set@main/data/train");
    CHECK(page("https://huggingface.co/org/model/blob/v1/onnx/model.onnx") == "hf://org/model@v1/onnx");
    CHECK(page("https://hf.co/org/model/tree/refs%2Fpr%2F1") == "hf://org/model@refs%2Fpr%2F1");
    CHECK(page("https://mirror.example/hub/org/model") == "hf://org/model");
    CHECK(page("https://mirror.example/hub/spaces/org/demo/tree/main") == "hf://spaces/org/demo@main");
    for (const char* file :
         {"https://huggingface.co/org/model/resolve/main/a.bin", "https://huggingface.co/org/model/raw/main/a",
          "https://huggingface.co/", "https://huggingface.co/api/models/a", "https://huggingface.co/datasets",
          "https://example.com/org/model", "https://mirror.example/org/model", "https://mirror.example/hub/SHA256SUMS",
          "http://mirror.example/hub/org/model"})
        CHECK_MESSAGE(page(file) == "", file);
}

TEST_CASE("a hub's words about a refusal: of the header, else of the body, one line") {
    CHECK(words_of_refusal("ask there\nplease", "{}") == "ask there please");
    CHECK(words_of_refusal("", R"({"error":"Repository not found"})") == "Repository not found");
    CHECK(words_of_refusal("", "<html>") == "");
    CHECK(words_of_refusal(std::string(1000, 'x'), "").size() == 300);
}

}  // namespace zcdp::origin::http
