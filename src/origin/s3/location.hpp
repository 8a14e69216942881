// What a SOURCE s3://… names. Pure.
#pragma once

#include <string>

#include "zcdp/base/error.hpp"

namespace zcdp::origin::s3 {

/// s3://BUCKET/PREFIX/ or s3://BUCKET/KEY?versionId=ID.
struct Location {
    std::string bucket;
    std::string prefix;   ///< "" or ends in '/'; of a single object what is before its name
    std::string object;   ///< the key of a single object; "": all below the prefix
    std::string version;  ///< of the single object
};

/// What follows the last '?' is a query when it has a '=' and no '/'; keys may have a '?' as well. Errors: usage.
Result<Location> parse_location(const std::string& source);

}  // namespace zcdp::origin::s3
