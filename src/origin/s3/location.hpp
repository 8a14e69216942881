// What a SOURCE s3://… names. Pure.
#pragma once

#include <cstddef>
#include <string>

#include "zcdp/base/error.hpp"

namespace zcdp::origin::s3 {

inline constexpr size_t kLabelBytesMax = 63;  ///< of a host's name (RFC 1035 2.3.4)

/// s3://BUCKET/PREFIX/, s3://BUCKET/KEY?versionId=ID; instead of BUCKET an access point's ARN,
/// arn:aws:s3:REGION:ACCOUNT:accesspoint/NAME (its alias is a bucket's name). A bucket NAME--ZONE--x-s3 is a directory
/// bucket (S3 Express One Zone), NAME--ZONE--xa-s3 an access point of one.
struct Location {
    std::string bucket;        ///< the bucket, or the ARN
    std::string access_point;  ///< NAME-ACCOUNT, what its host begins with; "" for a bucket
    std::string region;        ///< of the ARN; "" for a bucket
    std::string zone;          ///< of a directory bucket; "" for others
    /// As it is written, with or without a '/' at its end; of a version what is before its object's name
    std::string prefix;
    std::string object;   ///< the key of a version; "": the prefix is the source
    std::string version;  ///< of `object`
};

/// What follows the last '?' is a query when it has a '=' and no '/'; keys may have a '?' as well. Errors: usage.
Result<Location> parse_location(const std::string& source);

}  // namespace zcdp::origin::s3
