#include "zcdp/net/conditions.hpp"

#include <optional>

#include "zcdp/base/ascii.hpp"
#include "zcdp/base/clock.hpp"

namespace zcdp::net::server {

namespace {

/// The opaque part of one entity tag, without quotes.
std::string_view opaque(std::string_view tag) {
    if (tag.size() >= 2 && tag.front() == '"' && tag.back() == '"') return tag.substr(1, tag.size() - 2);
    return tag;
}

/// Our tags have no comma, so a list splits at every one.
bool any_matches(std::string_view list, std::string_view etag, bool weak) {
    if (trimmed(list) == "*") return true;
    while (true) {
        const size_t comma = list.find(',');
        std::string_view item = trimmed(list.substr(0, comma));
        if (weak && item.starts_with("W/")) item.remove_prefix(2);
        if (!item.empty() && opaque(item) == opaque(etag)) return true;
        if (comma == std::string_view::npos) return false;
        list.remove_prefix(comma + 1);
    }
}

std::optional<int64_t> date(std::string_view text) {
    if (text.empty()) return std::nullopt;
    const int64_t seconds = parse_http_date(std::string(trimmed(text)));
    if (seconds < 0) return std::nullopt;
    return seconds;
}

/// Decimal digits only; a number that does not fit is as good as the largest.
std::optional<uint64_t> number(std::string_view text) {
    if (text.empty()) return std::nullopt;
    uint64_t value = 0;
    for (const char c : text) {
        if (c < '0' || c > '9') return std::nullopt;
        const auto digit = static_cast<uint64_t>(c - '0');
        value = value > (UINT64_MAX - digit) / 10 ? UINT64_MAX : value * 10 + digit;
    }
    return value;
}

RangeAnswer suffix_range(std::string_view digits, uint64_t size_bytes) {
    const auto length = number(digits);
    if (!length) return {};
    if (*length == 0 || size_bytes == 0) return {RangeKind::unsatisfiable};
    const uint64_t taken = *length < size_bytes ? *length : size_bytes;
    return {RangeKind::part, size_bytes - taken, taken};
}

}  // namespace

ConditionVerdict evaluate_conditions(const Conditions& conditions, std::string_view etag, int64_t modified_unix_s) {
    if (!conditions.if_match.empty()) {
        if (!any_matches(conditions.if_match, etag, false)) return ConditionVerdict::failed;
    } else if (const auto since = date(conditions.if_unmodified_since)) {
        if (modified_unix_s > *since) return ConditionVerdict::failed;
    }
    if (!conditions.if_none_match.empty()) {
        if (any_matches(conditions.if_none_match, etag, true)) return ConditionVerdict::not_modified;
    } else if (const auto since = date(conditions.if_modified_since)) {
        if (modified_unix_s <= *since) return ConditionVerdict::not_modified;
    }
    return ConditionVerdict::proceed;
}

RangeAnswer evaluate_range(std::string_view range, std::string_view if_range, std::string_view etag,
                           uint64_t size_bytes) {
    if (range.empty()) return {};
    if (!if_range.empty() && trimmed(if_range) != etag) return {};
    const size_t equals = range.find('=');
    if (equals == std::string_view::npos || !equal_ignoring_case(trimmed(range.substr(0, equals)), "bytes")) return {};
    const std::string_view set = trimmed(range.substr(equals + 1));
    const size_t dash = set.find('-');
    if (dash == std::string_view::npos) return {};
    if (dash == 0) return suffix_range(set.substr(1), size_bytes);
    const auto first = number(set.substr(0, dash));
    if (!first) return {};
    uint64_t last = UINT64_MAX;
    if (const std::string_view text = set.substr(dash + 1); !text.empty()) {
        const auto given = number(text);
        if (!given || *given < *first) return {};
        last = *given;
    }
    if (*first >= size_bytes) return {RangeKind::unsatisfiable};
    if (last >= size_bytes) last = size_bytes - 1;
    return {RangeKind::part, *first, last - *first + 1};
}

}  // namespace zcdp::net::server
