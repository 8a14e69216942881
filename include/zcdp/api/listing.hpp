// The format in which the controller hands a listing to agents: one JSON object a line, in the listing's order.
//
//   {"p":"a/b","s":123,"t":"etag"}         p path, s size in bytes, t tag; and, where they are not a file's: "k":"dir",
//   {"p":"l","k":"link","l":"a/b"}         "k":"link" with "l" its target; "x":true: executable
//   {"end":2}                              the last line: how many entries there were. Without it the listing was cut
//   off.
// Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "zcdp/base/error.hpp"
#include "zcdp/base/ids.hpp"

namespace zcdp::api {

struct ListingEntry {
    std::string path;
    Tag tag;
    std::string kind, link_target;  ///< kind: "" (a file), "dir", "link"
    uint64_t size_bytes = 0;
    bool executable = false;
    bool operator==(const ListingEntry&) const = default;
};

/// Lines with their ends: one entry, and the last, which says how many entries there were.
std::string listing_line(const ListingEntry& entry);
std::string listing_end(uint64_t count);

/// One line without its end: an entry, or the count of the last line. Errors: refused.
struct ListingLine {
    std::optional<ListingEntry> entry;
    uint64_t count = 0;
};
Result<ListingLine> parse_listing_line(std::string_view line);

}  // namespace zcdp::api
