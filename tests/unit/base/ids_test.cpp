#include "zcdp/base/ids.hpp"

#include <fmt/format.h>

#include <type_traits>
#include <unordered_set>

#include "tests/support/doctest.hpp"

namespace zcdp {
namespace {

using Other = Id<struct OtherId>;

static_assert(!std::is_convertible_v<std::string, Tag> && !std::is_convertible_v<const char*, Tag>);
static_assert(!std::is_convertible_v<Tag, std::string> && !std::is_convertible_v<Tag, std::string_view>);
static_assert(!std::is_constructible_v<Tag, Other> && !std::is_assignable_v<Tag&, std::string>);
static_assert(!std::equality_comparable_with<Tag, Other> && !std::equality_comparable_with<Tag, std::string>);
static_assert(sizeof(Tag) == sizeof(std::string));

TEST_CASE("an id is made of text and gives it back, is ordered by it, hashed and formatted as it") {
    CHECK(Tag().empty());
    CHECK(Tag(std::string_view("abc").substr(0, 2)).str() == "ab");
    CHECK(Tag("a") == Tag(std::string("a")));
    CHECK(Tag("a") < Tag("b"));
    CHECK(std::unordered_set<Tag>{Tag("a"), Tag("a"), Tag("b")}.size() == 2);
    CHECK(fmt::format("[{}]", Tag("a")) == "[a]");
}

}  // namespace
}  // namespace zcdp
