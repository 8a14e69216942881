// What agents and controllers say to each other, as docs/formats.md has it.
#include "src/services/peers/wire.hpp"

#include "tests/support/doctest.hpp"

namespace zcdp::services::peers {
namespace {

using swarm::Introduction;
using swarm::MemberNews;

constexpr const char* kNews =
    R"({"name":"node-3","address":"10.0.0.7:7443","zone":"eu-1a","piecesDone":12,"neighbours":["node-1"],)"
    R"("drawnBytes":100,"extraMostBytes":50,"extraGrantedBytes":8,"extraWantedBytes":16})";
constexpr const char* kIntroduction =
    R"({"neighbours":[{"name":"node-2","address":"[fd00::2]:7443","holder":true}],"gone":["node-1"],)"
    R"("owners":["node-3"],"members":2,"holders":1,"againMs":200,"drawnBytes":300,)"
    R"("extraGrantedBytes":16})";

/// kNews with one member written otherwise.
std::string news_with(const std::string& member, const std::string& value) {
    std::string text = kNews;
    const size_t at = text.find("\"" + member + "\":") + member.size() + 3;
    const size_t end = text.find_first_of(text[at] == '[' ? "]" : ",}", at) + (text[at] == '[');
    return text.replace(at, end - at, value);
}

std::string names(size_t count) {
    std::string out = "[";
    for (size_t i = 0; i < count; ++i) out += (i == 0 ? "\"n" : ",\"n") + std::to_string(i) + "\"";
    return out + "]";
}

}  // namespace

TEST_CASE("news and introductions are written as the formats say, and read back as they were") {
    const MemberNews news{"node-3", "10.0.0.7:7443", "eu-1a", false, 12, {"node-1"}, 100, {50, 8, 16}};
    CHECK(to_text(news) == kNews);
    CHECK(read_news(kNews).value() == news);
    Introduction introduction;
    introduction.neighbours = {{"node-2", "[fd00::2]:7443", true}};
    introduction.gone = {"node-1"}, introduction.owners = {"node-3"};
    introduction.members = 2, introduction.holders = 1, introduction.again_ms = 200;
    introduction.drawn_bytes = 300, introduction.granted_bytes = 16;
    CHECK(to_text(introduction) == kIntroduction);
    const Introduction again = read_introduction(kIntroduction).value();
    CHECK(again.neighbours == introduction.neighbours);
    CHECK(to_text(again) == kIntroduction);
    const Certified certified = read_certified(to_text(Certified{"one\n", "two\n"})).value();
    CHECK(certified.certificate_pem == "one\n");
    CHECK(certified.ca_pem == "two\n");
    CHECK(peers_target({"ns", "llama"}, Revision("ab12")) == "/v1/peers?dataset=ns/llama&revision=ab12");
}

TEST_CASE("news that nobody would write are refused") {
    REQUIRE(read_news(news_with("neighbours", names(256))));
    REQUIRE(read_news(news_with("name", "\"" + std::string(256, 'n') + "\"")));
    for (const std::string& bad : {std::string(),
                                   std::string("[]"),
                                   std::string("{}"),
                                   std::string(kNews).substr(1),
                                   std::string(kNews) + "x",
                                   std::string(64 << 10, ' ') + kNews,
                                   news_with("name", "\"\""),
                                   news_with("name", "\"a b\""),
                                   news_with("name", "7"),
                                   news_with("name", "\"" + std::string(257, 'n') + "\""),
                                   news_with("address", "\"10.0.0.7\""),
                                   news_with("address", "\"10.0.0.7:0\""),
                                   news_with("address", "\"10.0.0.7:7443/x\""),
                                   news_with("address", "\"http://10.0.0.7:7443\""),
                                   news_with("zone", "\"a\\nb\""),
                                   news_with("piecesDone", "-1"),
                                   news_with("piecesDone", "1.5"),
                                   news_with("piecesDone", "18446744073709551616"),
                                   news_with("drawnBytes", "-1"),
                                   news_with("neighbours", names(257)),
                                   news_with("neighbours", "[\"\"]"),
                                   news_with("neighbours", "[[[[[]]]]]")}) {
        INFO(bad.substr(0, 200));
        const auto read = read_news(bad);
        REQUIRE_FALSE(read);
        CHECK(read.error().kind() == ErrorKind::refused);
    }
}

TEST_CASE("an introduction or a certificate's answer that nobody would give is refused") {
    REQUIRE(read_introduction("{}"));
    for (const std::string& bad :
         {std::string("7"), std::string(R"({"neighbours":[{"name":"a"}]})"),
          std::string(R"({"neighbours":[{"name":"a b","address":"10.0.0.7:1"}]})"),
          std::string(R"({"neighbours":["a"]})"), R"({"owners":)" + names(257) + "}", R"({"gone":)" + names(257) + "}",
          std::string(R"({"gone":[""]})"), std::string(R"({"againMs":"1"})")}) {
        INFO(bad.substr(0, 200));
        CHECK_FALSE(read_introduction(bad));
    }
    CHECK_FALSE(read_certified("{}"));
    CHECK_FALSE(read_certified(R"({"certificate":"a"})"));
    CHECK_FALSE(read_certified(R"({"certificate":"a","ca":7})"));
}

}  // namespace zcdp::services::peers
