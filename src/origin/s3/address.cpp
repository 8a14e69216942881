#include "src/origin/s3/address.hpp"

#include "zcdp/base/percent.hpp"

namespace zcdp::origin::s3 {
namespace {

std::string domain_of(const std::string& region) {
    return region.starts_with("cn-") ? ".amazonaws.com.cn" : ".amazonaws.com";
}

/// Whether names can stand in front of the endpoint's.
bool takes_names(const net::Endpoint& endpoint) {
    return !endpoint.is_numeric() && endpoint.host != "localhost" && endpoint.host.find('.') != std::string::npos;
}

/// Directory buckets and access points are named in AWS's host.
const char* is_named_in_host(const Location& location) {
    return !location.access_point.empty() ? "is an access point, which is named in the host: --path-style cannot be"
                                          : "is a directory bucket, which is named in the host: --path-style cannot be";
}

/// Of others only hosts under AWS's own names are known to answer as bucket.host.
bool answers_for_buckets(const net::Endpoint& endpoint) {
    const std::string& host = endpoint.host;
    return takes_names(endpoint) &&
           (host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn") || host.ends_with(".aliyuncs.com"));
}

Result<Address> address_of_access_point(const Location& location, const Addressing& how, Address address) {
    if (how.style == Style::path) return Error(ErrorKind::usage, is_named_in_host(location), location.bucket);
    if (!takes_names(address.endpoint))
        return Error(
            ErrorKind::usage, "is an access point, which is named in the host: " + how.endpoint_url + " takes no names",
            location.bucket, "leave --endpoint and AWS_ENDPOINT_URL out, or name a host, such as a VPC endpoint's");
    address.endpoint.host = location.access_point + "." + address.endpoint.host;
    return address;
}

}  // namespace

bool is_region(const std::string& text) {
    return !text.empty() && text.size() <= 32 &&
           text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == text.npos;
}

bool can_be_in_host(const std::string& bucket, const net::Endpoint& endpoint) {
    if (endpoint.is_numeric() || bucket.size() < 3 || bucket.size() > kLabelBytesMax) return false;
    for (size_t at = 0; at < bucket.size(); ++at) {
        const char c = bucket[at];
        const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        const bool joins = (c == '-' || c == '.') && at > 0 && at + 1 < bucket.size() && bucket[at - 1] != '.' &&
                           !(bucket[at - 1] == '-' && c == '.');
        if (!plain && !joins) return false;
    }
    return true;
}

Result<Address> address_of(const Location& location, const Addressing& how, const std::string& wanted_region) {
    Address address;
    address.region = location.region.empty() ? wanted_region : location.region;
    address.aws = how.endpoint_url.empty();
    if (address.aws) {
        const std::string fips = how.fips ? "-fips" : "";
        const std::string service = !location.zone.empty()
                                        ? "s3express" + fips + "-" + location.zone
                                        : (location.access_point.empty() ? "s3" : "s3-accesspoint") + fips;
        address.endpoint = {
            true, service + (how.dual_stack ? ".dualstack." : ".") + address.region + domain_of(address.region), 443};
    } else {
        ZCDP_TRY(auto base, net::BaseUrl::parse(how.endpoint_url));
        address.endpoint = std::move(base.endpoint), address.path_prefix = std::move(base.path);
    }
    address.service_url = address.endpoint.url() + address.path_prefix;
    if (!location.zone.empty()) {
        address.service = "s3express";
        if (address.aws && how.style == Style::path)
            return Error(ErrorKind::usage, is_named_in_host(location), location.bucket);
    }
    if (!location.access_point.empty()) return address_of_access_point(location, how, std::move(address));
    const bool dots_over_tls = address.endpoint.tls && location.bucket.find('.') != std::string::npos;
    const bool can_be_in_front =
        can_be_in_host(location.bucket, address.endpoint);  // old buckets have capitals, '_' or longer names
    if (how.style == Style::host && !can_be_in_front)
        return Error(ErrorKind::usage, "cannot stand in the host's name of " + address.service_url, location.bucket,
                     "leave --virtual-host and addressing_style out, or name a host, not an address");
    const bool by_itself =
        how.style == Style::automatic && !dots_over_tls && can_be_in_front && answers_for_buckets(address.endpoint);
    if (how.style == Style::host || by_itself) address.endpoint.host = location.bucket + "." + address.endpoint.host;
    else address.path_prefix += "/" + uri_encode(location.bucket, false);
    return address;
}

}  // namespace zcdp::origin::s3
