// A listing over a prefix: one page, and if that is not all, several ranges of keys at once, handed out in order.
//
// The ranges come from one listing with delimiter '/': its keys and common prefixes are points at which the key space can
// be cut, and a range is listed from just after one point to the next (`PageRequest::after`). Memory: a few pages a range.
// Thread rule: belongs to its loop.
#pragma once

#include <memory>

#include "src/origin/remote/requester.hpp"

namespace zcdp::origin {

std::unique_ptr<Listing> make_listing(std::shared_ptr<Requester> requester);

/// Cuts ordered points into at most `ranges` runs; returns for each run but the first the index of its first point. Pure.
std::vector<size_t> cut_points(size_t points, size_t ranges);

}  // namespace zcdp::origin
