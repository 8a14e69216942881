// Conditions and ranges of a request, as RFC 9110 has them.
#include "zcdp/net/conditions.hpp"

#include "tests/support/doctest.hpp"

using namespace zcdp::net::server;

namespace {

constexpr std::string_view kTag = "\"abc-1\"";
constexpr int64_t kModified = 1'700'000'000;  // Tue, 14 Nov 2023 22:13:20 GMT
constexpr std::string_view kThen = "Tue, 14 Nov 2023 22:13:20 GMT", kBefore = "Tue, 14 Nov 2023 22:13:19 GMT";

ConditionVerdict verdict(const Conditions& conditions) { return evaluate_conditions(conditions, kTag, kModified); }

RangeAnswer range(std::string_view text, std::string_view if_range = "", uint64_t size = 100) {
    return evaluate_range(text, if_range, kTag, size);
}

}  // namespace

TEST_CASE("conditions on the entity tag and on the time") {
    CHECK(verdict({}) == ConditionVerdict::proceed);
    CHECK(verdict({.if_match = kTag}) == ConditionVerdict::proceed);
    CHECK(verdict({.if_match = "abc-1"}) == ConditionVerdict::proceed);
    CHECK(verdict({.if_match = "\"x\", \"abc-1\""}) == ConditionVerdict::proceed);
    CHECK(verdict({.if_match = "*"}) == ConditionVerdict::proceed);
    CHECK(verdict({.if_match = "\"x\""}) == ConditionVerdict::failed);
    CHECK(verdict({.if_none_match = kTag}) == ConditionVerdict::not_modified);
    CHECK(verdict({.if_none_match = "*"}) == ConditionVerdict::not_modified);
    CHECK(verdict({.if_none_match = "\"x\""}) == ConditionVerdict::proceed);
    CHECK(verdict({.if_modified_since = kThen}) == ConditionVerdict::not_modified);
    CHECK(verdict({.if_modified_since = kBefore}) == ConditionVerdict::proceed);
    CHECK(verdict({.if_unmodified_since = kThen}) == ConditionVerdict::proceed);
    CHECK(verdict({.if_unmodified_since = kBefore}) == ConditionVerdict::failed);
    CHECK(verdict({.if_modified_since = "yesterday"}) == ConditionVerdict::proceed);
    // The tag decides before the time.
    CHECK(verdict({.if_match = kTag, .if_unmodified_since = kBefore}) == ConditionVerdict::proceed);
    CHECK(verdict({.if_none_match = "\"x\"", .if_modified_since = kThen}) == ConditionVerdict::proceed);
}

TEST_CASE("ranges: first and last, open ends, suffixes, and what is none") {
    struct Row {
        const char* text;
        RangeKind kind;
        uint64_t offset, length;
    };
    for (const Row& row : std::initializer_list<Row>{{"bytes=0-0", RangeKind::part, 0, 1},
                                                     {"bytes=10-19", RangeKind::part, 10, 10},
                                                     {"bytes=90-", RangeKind::part, 90, 10},
                                                     {"bytes=90-1000", RangeKind::part, 90, 10},
                                                     {"bytes=-5", RangeKind::part, 95, 5},
                                                     {"bytes=-1000", RangeKind::part, 0, 100},
                                                     {"bytes=100-", RangeKind::unsatisfiable, 0, 0},
                                                     {"bytes=-0", RangeKind::unsatisfiable, 0, 0},
                                                     {"", RangeKind::whole, 0, 0},
                                                     {"bytes=9-3", RangeKind::whole, 0, 0},
                                                     {"bytes=a-b", RangeKind::whole, 0, 0},
                                                     {"lines=0-1", RangeKind::whole, 0, 0},
                                                     {"bytes=0-1,5-6", RangeKind::whole, 0, 0},
                                                     {"bytes=99999999999999999999-", RangeKind::whole, 0, 0}}) {
        CAPTURE(row.text);
        const RangeAnswer answer = range(row.text);
        const bool huge = std::string_view(row.text).size() > 20;  // beyond 64 bits: none, or one that is not there
        CHECK((answer.kind == row.kind || (huge && answer.kind == RangeKind::unsatisfiable)));
        if (row.kind != RangeKind::part) continue;
        CHECK(answer.offset == row.offset);
        CHECK(answer.length == row.length);
    }
    CHECK(range("bytes=0-0", "", 0).kind == RangeKind::unsatisfiable);
    CHECK(range("bytes=0-9", kTag).kind == RangeKind::part);
    CHECK(range("bytes=0-9", "\"other\"").kind == RangeKind::whole);
    CHECK(range("bytes=0-9", "W/\"abc-1\"").kind == RangeKind::whole);
}
