// JSON as it is written.
#include <boost/json/parse.hpp>

#include "tests/support/doctest.hpp"
#include "zcdp/base/json.hpp"

using namespace zcdp;

TEST_CASE("JSON strings are valid for any bytes") {
    for (int byte = 0; byte < 256; ++byte) {
        const std::string text = std::string("a") + static_cast<char>(byte) + "b";
        boost::system::error_code code;
        const auto value = boost::json::parse(json_string(text), code);
        REQUIRE(!code);
        if (byte < 0x80) CHECK(value.as_string() == text);
        else
            CHECK(value.as_string() ==
                  "a\xef\xbf\xbd"
                  "b");
    }
    CHECK(json_string("日本語 \"\\") == "\"日本語 \\\"\\\\\"");
}

TEST_CASE("a JSON object has its fields in order, each of its kind") {
    JsonObject object;
    object.add("text", "a\"b")
        .add("count", uint64_t{1} << 63)
        .add("less", int64_t{-1})
        .add("yes", true)
        .add("seconds", 1.5);
    object.add("list", std::vector<std::string>{"x", "y"}).raw("raw", "{}");
    const auto value = boost::json::parse(object.str()).as_object();
    CHECK(value.at("text").as_string() == "a\"b");
    CHECK(value.at("count").as_uint64() == uint64_t{1} << 63);
    CHECK(value.at("less").as_int64() == -1);
    CHECK(value.at("yes").as_bool());
    CHECK(value.at("seconds").as_double() == doctest::Approx(1.5));
    CHECK(value.at("list").as_array().size() == 2);
    CHECK(value.at("raw").as_object().empty());
}

TEST_CASE("a JSON string for a person shows the bytes that are no text") {
    std::string line;
    append_json_string(line, "a\x7f\xff\n\"", JsonReader::person);
    CHECK(line == R"("a\u007f\\xff\u000a\"")");
    line.clear();
    append_json_string(line, "a\x7f\xff\n\"", JsonReader::program);
    CHECK(line == "\"a\x7f\xef\xbf\xbd\\u000a\\\"\"");
}
