#include "zcdp/swarm/wire.hpp"

#include "tests/support/doctest.hpp"
#include "zcdp/base/digest.hpp"

namespace zcdp::swarm {

TEST_CASE("targets") {
    CHECK(news_target("ab12", 7, 60'000) == "/v1/swarms/ab12/news?version=7&wait_ms=60000");
    CHECK(piece_target("ab12", 1234) == "/v1/swarms/ab12/pieces/1234");
}

TEST_CASE("news: the vector of docs/formats.md, and both ways") {
    News news{.version = 258, .have = HaveMap(11), .there = HaveMap(11), .drawing = HaveMap(11), .load = 3};
    news.have.set(0), news.there.set(0), news.there.set(10), news.drawing.set(3);
    const std::string bytes = news.encode();
    CHECK(to_hex_of(bytes) ==
          "0201000000000000"
          "0300000000000000"
          "0b000000000000000100"
          "0b000000000000000104"
          "0b000000000000000800");
    const auto back = News::decode(bytes, 11);
    REQUIRE(back);
    CHECK(*back == news);
}

TEST_CASE("news of another number of pieces, cut off, or too long, are none") {
    const std::string bytes =
        News{.version = 1, .have = HaveMap(11), .there = HaveMap(11), .drawing = HaveMap(11)}.encode();
    CHECK(!News::decode(bytes, 12));
    CHECK(!News::decode(bytes, 27));
    CHECK(!News::decode(bytes.substr(0, bytes.size() - 1), 11));
    CHECK(!News::decode(bytes + '\0', 11));
    CHECK(!News::decode("", 11));
    CHECK(News::decode(News{.version = 1, .have = HaveMap(0), .there = HaveMap(0), .drawing = HaveMap(0)}.encode(), 0));
}

}  // namespace zcdp::swarm
