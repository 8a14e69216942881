#include "src/origin/s3/shared.hpp"

#include <openssl/evp.h>

#include "src/origin/remote/answers.hpp"
#include "zcdp/base/base64.hpp"
#include "zcdp/base/digest.hpp"

namespace zcdp::origin::s3 {
namespace {

bool is_region(const std::string& text) {
    return !text.empty() && text.size() <= 32 && text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == text.npos;
}

bool host_takes_buckets(const net::Endpoint& endpoint, const std::string& bucket) {
    const bool dots_over_tls = endpoint.tls && bucket.find('.') != std::string::npos;
    return !endpoint.is_numeric() && endpoint.host != "localhost" && endpoint.host.find('.') != std::string::npos && !dots_over_tls;
}

}  // namespace

Shared::Shared(Location where, OriginOptions origin_options, Machine on)
    : Remote(where.prefix, std::move(origin_options), on), location(std::move(where)), credentials(options, machine) {}

Result<> Shared::configure() {
    endpoint_url_ = options.endpoint;
    for (const char* name : {"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"})
        if (endpoint_url_.empty()) endpoint_url_ = machine.environment(name);
    if (endpoint_url_.empty()) endpoint_url_ = credentials.setting("endpoint_url");
    std::string region = options.region;
    for (const char* name : {"AWS_REGION", "AWS_DEFAULT_REGION"})
        if (region.empty()) region = machine.environment(name);
    if (region.empty()) region = credentials.setting("region");
    if (region.empty()) region = "us-east-1";
    if (!is_region(region)) return Error(ErrorKind::usage, "is no region", region, "such as eu-central-1");
    if (!options.sse_c_key.empty() && options.sse_c_key.size() != 32) return Error(ErrorKind::usage, "SSE-C's key has " + std::to_string(options.sse_c_key.size()) + " bytes, not 32");
    if (!endpoint_url_.empty()) ZCDP_CHECK(net::Endpoint::parse(endpoint_url_));
    ZCDP_CHECK(configure_network());
    address_ = address_for(region);
    return {};
}

Address Shared::address_for(const std::string& region) const {
    Address address;
    address.region = region;
    address.aws = endpoint_url_.empty();
    const std::string domain = region.starts_with("cn-") ? ".amazonaws.com.cn" : ".amazonaws.com";
    const bool dual = options.dual_stack || machine.environment("AWS_USE_DUALSTACK_ENDPOINT") == "true";
    address.endpoint = address.aws ? net::Endpoint{true, (dual ? "s3.dualstack." : "s3.") + region + domain, 443}
                                   : net::Endpoint::parse(endpoint_url_).value();
    // Of others only hosts under AWS's own names are known to answer as bucket.host.
    const bool virtual_hosted = !options.path_style && host_takes_buckets(address.endpoint, bucket) &&
                                (address.aws || address.endpoint.host.ends_with(".amazonaws.com") ||
                                 address.endpoint.host.ends_with(".amazonaws.com.cn") ||
                                 address.endpoint.host.ends_with(".aliyuncs.com"));
    if (virtual_hosted)
        address.endpoint.host = bucket + "." + address.endpoint.host;
    else
        address.path_prefix = "/" + uri_encode(bucket, false);
    return address;
}

/// docs.aws.amazon.com/AmazonS3/latest/userguide/ServerSideEncryptionCustomerKeys.html and RequesterPaysBuckets.html
std::vector<net::Header> Shared::object_headers() const {
    std::vector<net::Header> out;
    if (options.request_payer) out.emplace_back("x-amz-request-payer", "requester");
    if (options.sse_c_key.empty()) return out;
    unsigned char md5[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    EVP_Digest(options.sse_c_key.data(), options.sse_c_key.size(), md5, &length, EVP_md5(), nullptr);
    out.emplace_back("x-amz-server-side-encryption-customer-algorithm", "AES256");
    out.emplace_back("x-amz-server-side-encryption-customer-key", to_base64(options.sse_c_key));
    out.emplace_back("x-amz-server-side-encryption-customer-key-md5", to_base64({reinterpret_cast<const char*>(md5), length}));
    return out;
}

Address Shared::address() const {
    const std::scoped_lock lock(mutex_);
    return address_;
}

bool Shared::move_to_region(const std::string& region) {
    const std::scoped_lock lock(mutex_);
    if (!is_region(region) || region == address_.region) return false;
    address_ = address_for(region);
    machine.log.info("the bucket is in another region", {{"bucket", bucket}, {"region", region}});
    return true;
}

}  // namespace zcdp::origin::s3
