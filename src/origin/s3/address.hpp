// From what a SOURCE names to the host, the path and the region its requests are signed for
// (docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html, access-points-naming.html,
// endpoint-directory-buckets-AZ.html). Pure.
#pragma once

#include <string>

#include "src/origin/s3/location.hpp"
#include "zcdp/net/endpoint.hpp"

namespace zcdp::origin::s3 {

/// Where a bucket is spoken to.
struct Address {
    net::Endpoint endpoint;
    std::string path_prefix;  ///< "" or "/bucket"
    std::string region, service = "s3";  ///< that requests are signed for
    std::string service_url;  ///< the endpoint's, without the bucket
    bool aws = false;         ///< region decides the host
};

struct Addressing {
    std::string endpoint_url;  ///< "": AWS's
    bool path_style = false, dual_stack = false;
};

/// Whether `text` can be a region's name.
bool is_region(const std::string& text);
/// Errors: usage (an endpoint that is none, or that an access point cannot be asked at).
Result<Address> address_of(const Location& location, const Addressing& how, const std::string& region);

}  // namespace zcdp::origin::s3
