// A listing over a prefix: one page, and if that is not all, several ranges of keys at once, handed out in order.
//
// The ranges come from one listing with delimiter '/' (points.hpp), and a range is listed from just after one point to
// the next (`PageRequest::after`). Where the ranges turn out not to be the whole the listing begins again, page by
// page: then it comes in the service's order. Memory: a few pages a range. Thread rule: belongs to its loop.
#pragma once

#include <memory>

#include "src/origin/remote/requester.hpp"

namespace zcdp::origin {

/// `selection` must outlive the listing. Where all that it wants lies in one folder below the prefix, that folder is
/// listed.
std::unique_ptr<Listing> make_listing(std::shared_ptr<Requester> requester, const Selection& selection);

}  // namespace zcdp::origin
