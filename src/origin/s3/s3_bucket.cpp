#include "src/origin/s3/s3_bucket.hpp"

#include <openssl/evp.h>

#include "src/origin/remote/answers.hpp"
#include "zcdp/base/base64.hpp"
#include "zcdp/base/digest.hpp"

namespace zcdp::origin::s3 {
namespace {

constexpr int64_t kSessionRefreshBeforeS = 60;  // of five minutes

}  // namespace

S3Bucket::S3Bucket(Location where, OriginOptions origin_options, Machine on,
                   std::shared_ptr<const AwsSettings> settings)
    : Remote(where.prefix, std::move(origin_options), on),
      location(std::move(where)),
      credentials(options, machine, settings),
      session(machine.log, kSessionRefreshBeforeS),
      settings_(std::move(settings)) {}

Result<Addressing> S3Bucket::addressing() const {
    Addressing out;
    out.endpoint_url = options.endpoint;
    if (out.endpoint_url.empty()) {
        ZCDP_TRY(out.endpoint_url, settings_->endpoint_url("s3"));
    }
    if (options.path_style && options.virtual_host)
        return Error(ErrorKind::usage, "says the contrary of --virtual-host", "--path-style", "give one of them");
    out.style = options.path_style ? Style::path : options.virtual_host ? Style::host : Style::automatic;
    ZCDP_TRY(const std::string of_profile, settings_->addressing_style());
    // What a profile says of buckets says nothing of what has no other place than the host.
    if (out.style == Style::automatic && location.access_point.empty() && location.zone.empty())
        out.style = of_profile == "path" ? Style::path : of_profile == "virtual" ? Style::host : Style::automatic;
    out.dual_stack = options.dual_stack || settings_->dual_stack();
    out.fips = settings_->fips();
    return out;
}

Result<> S3Bucket::configure() {
    ZCDP_CHECK(credentials.choose());
    ZCDP_TRY(Addressing how, addressing());
    const std::string& endpoint = how.endpoint_url;
    std::string region = options.region.empty() ? settings_->region() : options.region;
    if (region.empty() && !location.zone.empty() && endpoint.empty())
        return Error(ErrorKind::usage, "is a directory bucket, whose region must be named", location.bucket,
                     "give --region or AWS_REGION");
    if (region.empty()) region = "us-east-1";
    if (!is_region(region)) return Error(ErrorKind::usage, "is no region", region, "such as eu-central-1");
    if (!options.sse_c_key.empty() && options.sse_c_key.size() != 32)
        return Error(ErrorKind::usage,
                     "SSE-C's key has " + std::to_string(options.sse_c_key.size()) + " bytes, not 32");
    if (options.dual_stack && !endpoint.empty())
        return Error(ErrorKind::usage, "--dualstack is for AWS's own hosts, not for " + endpoint, "s3://" + bucket,
                     "leave --dualstack out, or --endpoint and AWS_ENDPOINT_URL");
    ZCDP_TRY(Address where, address_of(location, how, region));
    // S3 and MinIO refuse such requests, too, but only when the key has gone over the wire.
    if (!options.sse_c_key.empty() && !where.endpoint.tls && !where.endpoint.is_loopback())
        return Error(ErrorKind::usage, "--sse-c-key would send the key in the clear", where.endpoint.url(),
                     "use an https endpoint");
    {
        const MutexLock lock(mutex_);
        addressing_ = std::move(how), address_ = std::move(where);
    }
    return configure_network();
}

/// docs.aws.amazon.com/AmazonS3/latest/userguide/ServerSideEncryptionCustomerKeys.html and RequesterPaysBuckets.html
std::vector<net::Header> S3Bucket::object_headers() const {
    std::vector<net::Header> out;
    if (options.request_payer) out.emplace_back("x-amz-request-payer", "requester");
    if (options.sse_c_key.empty()) return out;
    unsigned char md5[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    EVP_Digest(options.sse_c_key.data(), options.sse_c_key.size(), md5, &length, EVP_md5(), nullptr);
    out.emplace_back("x-amz-server-side-encryption-customer-algorithm", "AES256");
    out.emplace_back("x-amz-server-side-encryption-customer-key", to_base64(options.sse_c_key));
    out.emplace_back("x-amz-server-side-encryption-customer-key-md5",
                     to_base64({reinterpret_cast<const char*>(md5), length}));
    return out;
}

Address S3Bucket::address() const {
    const MutexLock lock(mutex_);
    return address_;
}

bool S3Bucket::move_to_region(const std::string& region) {
    const MutexLock lock(mutex_);
    if (!is_region(region) || region == address_.region || !location.region.empty() || !location.zone.empty())
        return false;
    auto moved = address_of(location, addressing_, region);
    if (!moved) return false;
    address_ = std::move(*moved);
    machine.log.info("the bucket is in another region", {{"bucket", bucket}, {"region", region}});
    return true;
}

bool S3Bucket::move_to_host() {
    const MutexLock lock(mutex_);
    if (addressing_.style != Style::automatic || !can_be_in_host(bucket, address_.endpoint)) return false;
    Addressing how = addressing_;
    how.style = Style::host;
    auto moved = address_of(location, how, address_.region);
    if (!moved || moved->endpoint == address_.endpoint) return false;
    addressing_ = std::move(how), address_ = std::move(*moved);
    machine.log.info("the origin wants the bucket in its host's name",
                     {{"bucket", bucket}, {"host", address_.endpoint.host}});
    return true;
}

}  // namespace zcdp::origin::s3
