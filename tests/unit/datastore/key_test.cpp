#include "zcdp/datastore/key.hpp"

#include "tests/support/doctest.hpp"

namespace zcdp::datastore {
namespace {

void reads(std::string_view written, std::string_view key, uint64_t version, bool inside) {
    CAPTURE(written);
    const auto read = parse_key(written);
    REQUIRE(read);
    CHECK(read->key == key);
    CHECK(read->version == version);
    CHECK(read->inside == inside);
}

}  // namespace

TEST_CASE("a key: slashes around it mean nothing but `inside`, @N is a version") {
    reads("a/b", "a/b", 0, false);
    reads("/a/b", "a/b", 0, false);
    reads("a/b/", "a/b", 0, true);
    reads("a/b@12", "a/b", 12, false);
    reads("a@b", "a@b", 0, false);
    reads("a@", "a@", 0, false);
    reads("me@x.org/m", "me@x.org/m", 0, false);
    reads("", "", 0, true);
    reads("/", "", 0, true);
}

TEST_CASE("what is no key is refused, and never made into one") {
    for (const char* written : {"a//b", "../a", "a/./b", "a/..", "a\nb", "a\xff", "a@0", "a/@3", "@3", "a@1@2"}) {
        CAPTURE(written);
        const auto read = parse_key(written);
        REQUIRE(!read);
        CHECK(read.error().kind() == ErrorKind::refused);
        CHECK(read.error().object() == written);
    }
    CHECK(!is_key("a/"));
    CHECK(!is_key("a@3"));
    CHECK(!is_key(std::string("a\0b", 3)));
    CHECK(is_key("a/b"));
}

TEST_CASE("where put puts") {
    const auto to = [](std::string_view written, std::string_view source) {
        return key_to_put(*parse_key(written), source);
    };
    CHECK(*to("a/b", "./f") == "a/b");
    CHECK(*to("a/b", "./d/") == "a/b");
    CHECK(*to("a/b/", "./f") == "a/b/f");
    CHECK(*to("a/b/", "x/d//") == "a/b/d");
    CHECK(*to("/", "f") == "f");
    for (const char* source : {"-", "/", ".", "..", "x/.."}) {
        CAPTURE(source);
        REQUIRE(!to("a/", source));
        CHECK(to("a/", source).error().kind() == ErrorKind::usage);
    }
}

TEST_CASE("where get gets: the table of docs/datastore.md") {
    CHECK(path_to_get("a/b", true, "", DestKind::absent) == "b");
    CHECK(path_to_get("a/b", false, "", DestKind::absent) == "b");
    CHECK(path_to_get("a/b", false, "d", DestKind::directory) == "d");
    CHECK(path_to_get("a/b", false, "d/", DestKind::directory) == "d/b");
    CHECK(path_to_get("a/b", true, "d", DestKind::directory) == "d/b");
    CHECK(path_to_get("a/b", true, "f", DestKind::absent) == "f");
    CHECK(path_to_get("a/b", true, "f", DestKind::file) == "f");
    CHECK(path_to_get("a/b", true, "d/", DestKind::absent) == "d/b");
    CHECK(path_to_get("b", true, "/", DestKind::directory) == "/b");
}

}  // namespace zcdp::datastore
