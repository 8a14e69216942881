// The listings of web servers. Thread rule: belong to their loop.
#pragma once

#include <memory>

#include "src/origin/http/look.hpp"

namespace zcdp::origin::http {

/// Of what `selection`, which must outlive it, leaves, nothing is asked for.
std::unique_ptr<Listing> make_listing(Surroundings around, const Selection& selection);

/// Kinds sums and tree: fetches what is stated of the files, once for all loops.
Task<Result<>> load_claims(Surroundings around);

}  // namespace zcdp::origin::http
