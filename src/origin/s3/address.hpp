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
    std::string path_prefix;             ///< the endpoint's own path, then "" or "/bucket"
    std::string region, service = "s3";  ///< that requests are signed for
    std::string service_url;             ///< the endpoint's, without the bucket
    bool aws = false;                    ///< region decides the host
};

/// Where the bucket's name stands.
enum class Style {
    automatic,  ///< in the host of AWS and of those that are known to want it, if the name can stand there; else in the
                ///< path
    path,
    host,
};

struct Addressing {
    std::string endpoint_url;  ///< with or without a path; "": AWS's
    Style style = Style::automatic;
    bool dual_stack = false, fips = false;
};

/// Whether `text` can be a region's name.
bool is_region(const std::string& text);
/// Whether a bucket of this name can stand in a host of this endpoint: it takes names, and the bucket's is one. Pure.
bool can_be_in_host(const std::string& bucket, const net::Endpoint& endpoint);
/// Errors: usage (an endpoint that is none, or that an access point cannot be asked at; Style::host where it cannot
/// be).
Result<Address> address_of(const Location& location, const Addressing& how, const std::string& region);

}  // namespace zcdp::origin::s3
