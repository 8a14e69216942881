// One page of a listing, decided from keys that come in raw byte order: prefix, delimiter, where to start, where to
// stop (AWS: ListObjectsV2). Pure but for the cursor it is given.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "object.hpp"
#include "zcdp/base/error.hpp"

namespace zcdp::services::serve {

/// All keys of a bucket in raw byte order; in the place of keys that a page rolls up it may give their common prefix.
class KeyCursor {
  public:
    enum class Step {
        key,     ///< key() is the next one
        end,     ///< there are no more
        paused,  ///< the work allowed for one page is used up; position() says where to go on
    };

    virtual ~KeyCursor() = default;
    /// Moves forward to the first key >= `from`; never back.
    virtual void seek(std::string_view from) = 0;
    /// Steps to the next key at or behind the last seek.
    virtual Result<Step> next() = 0;
    virtual const std::string& key() const = 0;
    /// What key() is; not_found when it vanished since its folder was read.
    virtual Result<ObjectStat> stat() = 0;
    /// After `paused`: every key not yet returned is >= this.
    virtual std::string position() const = 0;
    /// Allows as much work again.
    virtual void go_on() = 0;
};

struct ListQuery {
    std::string prefix;
    std::string delimiter;  ///< empty: none
    std::string from;       ///< keys >= this; see after_marker
    size_t max_keys = 1000;
    /// A page without entries may still be truncated: version 2 clients go on, version 1's do not
    bool may_pause = true;
};

struct ListEntry {
    std::string name;
    bool is_common_prefix = false;
    ObjectStat stat;  ///< of a key
};

struct ListPage {
    std::vector<ListEntry> entries;  ///< in byte order of their names
    bool truncated = false;
    std::string next_from;  ///< where the next page starts, when truncated
};

/// The smallest string that is greater than every string that starts with `prefix`; empty when there is none.
std::string successor_of_prefix(std::string_view prefix);

/// `from` for "after MARKER": behind that key, and behind all of it when it is a common prefix that was already given.
std::string after_marker(std::string_view marker, std::string_view prefix, std::string_view delimiter);

Result<ListPage> list_page(const ListQuery& query, KeyCursor& cursor);

}  // namespace zcdp::services::serve
