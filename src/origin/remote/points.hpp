// Where the key space below a prefix can be divided, and whether what was listed in parts is the whole: the answer to
// one listing with delimiter '/', which names every child of the prefix. Pure.
//
// A service may order keys in another way than by their bytes, or understand "after this key" in another way than it
// lists. Then parts overlap, or keys fall between them. What tells: the children come in another order, a part begins
// with another key than the one that ended the part before it (listing.cpp), or a child was named of which no key came.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "src/origin/remote/protocol.hpp"

namespace zcdp::origin {

/// A run of keys: greater than `after`, less than `until` ("" for no end).
struct Range {
    std::string after, until;
};

class Points {
  public:
    /// What a listing with delimiter '/' answered, of the children that go on after the key `last`. None where they
    /// come in another order than that of bytes, or the delimiter was passed over.
    Points(const ListPage& page, std::string_view prefix, std::string_view last);

    size_t size() const { return points_.size(); }
    /// At most `most` ranges that cover everything after `last`; one where there is nothing to cut at.
    std::vector<Range> ranges(std::string last, size_t most) const;

    /// The next keys of the whole, in order. False: a child that was named does not come.
    bool pass(const std::vector<Entry>& entries);
    /// After the last key.
    bool all_passed() const;

  private:
    struct Point {
        std::string name;
        bool is_prefix, passed;
    };
    std::vector<Point> points_;
    size_t at_ = 0;
};

/// Cuts ordered points into at most `ranges` runs; returns for each run but the first the index of its first point.
std::vector<size_t> cut_points(size_t points, size_t ranges);

}  // namespace zcdp::origin
