// Which bytes of an object an answer carries: conditions (RFC 9110 13) and a range (RFC 9110 14.2). Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace zcdp::net::server {

/// Header values as sent; empty when absent.
struct Conditions {
    std::string_view if_match, if_none_match, if_modified_since, if_unmodified_since, if_range;
};

enum class ConditionVerdict { proceed, not_modified, failed };

/// In RFC 9110 13.2.2's order. `etag` has its quotes; clients may send it without (boto3 does). A date that is no
/// IMF-fixdate is ignored.
ConditionVerdict evaluate_conditions(const Conditions& conditions, std::string_view etag, int64_t modified_unix_s);

enum class RangeKind {
    whole,          ///< no range, one that is malformed, or several: all of the object, as S3 answers
    part,           ///< offset and length are set; length > 0
    unsatisfiable,  ///< 416
};

struct RangeAnswer {
    RangeKind kind = RangeKind::whole;
    uint64_t offset = 0;
    uint64_t length = 0;
};

/// `range` is the Range header's value, `if_range` may be empty; only an entity tag that matches strongly keeps the
/// range.
RangeAnswer evaluate_range(std::string_view range, std::string_view if_range, std::string_view etag,
                           uint64_t size_bytes);

}  // namespace zcdp::net::server
