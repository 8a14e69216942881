// Keys of the data store as people write them, and the one rule for slashes (docs/datastore.md). Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "zcdp/base/error.hpp"

namespace zcdp::datastore {

/// A key as it was written: "/team/model/v3@2", "team/".
struct KeyArgument {
    std::string key;       ///< without slashes at either end; "" only where a prefix may be
    uint64_t version = 0;  ///< 0: the present one
    bool inside = false;   ///< it ended in '/': what is put goes inside, what is got is all below it
};

/// Drops leading slashes, one or more at the end, and "@N". Errors: refused, with the key and the reason, for what is
/// no path (docs/formats.md "Paths") and for a version with `inside`.
Result<KeyArgument> parse_key(std::string_view written);
/// Whether `key` can be one: a path that does not end in '/' or in '@' and a number.
bool is_key(std::string_view key);
/// What follows the last slash.
std::string_view last_segment(std::string_view key);

/// Where `put` puts: the key itself or, `inside`, below it under the source's own name. Errors: usage, when that name
/// is needed and there is none (standard input, "/").
Result<std::string> key_to_put(const KeyArgument& key, std::string_view source);

/// What DEST is on the disk before a `get`.
enum class DestKind { absent, file, directory };
/// The path that KEY becomes. `dest` is "" when none was given, then it is ./LAST-SEGMENT.
std::string path_to_get(std::string_view key, bool key_is_file, std::string_view dest, DestKind dest_kind);

}  // namespace zcdp::datastore
