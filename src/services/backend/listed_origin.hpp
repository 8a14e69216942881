// An origin whose listing comes from a file that the controller made: the objects are read from the origin itself, and
// nobody lists it twice (but one object).
#pragma once

#include <memory>
#include <string>

#include "zcdp/api/dataset_key.hpp"
#include "zcdp/api/listing.hpp"
#include "zcdp/base/fs.hpp"
#include "zcdp/origin/options.hpp"
#include "zcdp/origin/origin.hpp"

namespace zcdp::services::backend {

/// `file` holds the listing (include/zcdp/api/listing.hpp); it is read from its beginning for every listing.
/// `may_be_object`: the source may be one object; then one file alone is listed again, by which the origin learns what
/// it is.
origin::OriginFactory with_listing(origin::OriginFactory inner, std::shared_ptr<Fd> file, Fs& fs, bool may_be_object);

/// Between the two forms of an entry.
api::ListingEntry to_listing(const origin::Entry& entry);
origin::Entry from_listing(api::ListingEntry entry);

/// What to ask the controller for, and how.
struct ListingRequest {
    std::string url;  ///< https://HOST[:PORT]
    std::string ca_pem, token;
    api::DatasetKey dataset;
    Revision revision;
    std::string scratch_folder;  ///< takes the file, which has no name
};
/// Fetches the listing into a file without a name. Errors: not_found: the controller has none; unreachable, timeout,
/// denied, refused (cut off). Blocks, at most five minutes.
Result<std::shared_ptr<Fd>> fetch_listing(const ListingRequest& request, Machine machine);

}  // namespace zcdp::services::backend
