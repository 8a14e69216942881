// The listings of web servers. Thread rule: belong to their loop.
#pragma once

#include <memory>

#include "src/origin/http/shared.hpp"
#include "src/origin/remote/requester.hpp"

namespace zcdp::origin::http {

/// What a listing needs: where to send, what all loops know, and the origin for HEADs.
struct Surroundings {
    std::shared_ptr<Shared> shared;
    std::shared_ptr<Requester> requester;
    std::shared_ptr<Origin> files;
};

std::unique_ptr<Listing> make_listing(Surroundings around);

/// Kinds sums and tree: fetches what is stated of the files, once for all loops.
Task<Result<>> load_claims(Surroundings around);

}  // namespace zcdp::origin::http
