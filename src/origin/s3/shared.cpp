#include "src/origin/s3/shared.hpp"

#include <openssl/evp.h>

#include "src/origin/remote/answers.hpp"
#include "zcdp/base/base64.hpp"
#include "zcdp/base/digest.hpp"

namespace zcdp::origin::s3 {
namespace {

constexpr int64_t kSessionRefreshBeforeS = 60;  // of five minutes

}  // namespace

Shared::Shared(Location where, OriginOptions origin_options, Machine on)
    : Remote(where.prefix, std::move(origin_options), on), location(std::move(where)), credentials(options, machine), session(machine.log, kSessionRefreshBeforeS) {}

Result<> Shared::configure() {
    ZCDP_CHECK(credentials.check());
    std::string& endpoint = addressing_.endpoint_url = options.endpoint;
    for (const char* name : {"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"})
        if (endpoint.empty()) endpoint = machine.environment(name);
    if (endpoint.empty()) endpoint = credentials.setting("endpoint_url");
    addressing_.path_style = options.path_style;
    addressing_.dual_stack = options.dual_stack || machine.environment("AWS_USE_DUALSTACK_ENDPOINT") == "true";
    std::string region = options.region;
    for (const char* name : {"AWS_REGION", "AWS_DEFAULT_REGION"})
        if (region.empty()) region = machine.environment(name);
    if (region.empty()) region = credentials.setting("region");
    if (region.empty() && !location.zone.empty() && endpoint.empty())
        return Error(ErrorKind::usage, "is a directory bucket, whose region must be named", location.bucket, "give --region or AWS_REGION");
    if (region.empty()) region = "us-east-1";
    if (!is_region(region)) return Error(ErrorKind::usage, "is no region", region, "such as eu-central-1");
    if (!options.sse_c_key.empty() && options.sse_c_key.size() != 32) return Error(ErrorKind::usage, "SSE-C's key has " + std::to_string(options.sse_c_key.size()) + " bytes, not 32");
    if (options.dual_stack && !endpoint.empty())
        return Error(ErrorKind::usage, "--dualstack is for AWS's own hosts, not for " + endpoint, "s3://" + bucket, "leave --dualstack out, or --endpoint and AWS_ENDPOINT_URL");
    ZCDP_TRY(address_, address_of(location, addressing_, region));
    // S3 and MinIO refuse such requests, too, but only when the key has gone over the wire.
    if (!options.sse_c_key.empty() && !address_.endpoint.tls && !address_.endpoint.is_loopback())
        return Error(ErrorKind::usage, "--sse-c-key would send the key in the clear", address_.endpoint.url(), "use an https endpoint");
    return configure_network();
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
    if (!is_region(region) || region == address_.region || !location.region.empty() || !location.zone.empty()) return false;
    auto moved = address_of(location, addressing_, region);
    if (!moved) return false;
    address_ = std::move(*moved);
    machine.log.info("the bucket is in another region", {{"bucket", bucket}, {"region", region}});
    return true;
}

}  // namespace zcdp::origin::s3
