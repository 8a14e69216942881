#include "src/origin/s3/shared.hpp"

#include <algorithm>

namespace zcdp::origin::s3 {
namespace {

constexpr uint32_t kConcurrencyMost = 1024;
constexpr int64_t kHalvedOnceNs = 1'000'000'000;
constexpr uint64_t kBackoffFirstMs = 100, kBackoffMostMs = 20'000;

bool is_region(const std::string& text) {
    return !text.empty() && text.size() <= 32 && text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == text.npos;
}

bool host_takes_buckets(const net::Endpoint& endpoint, const std::string& bucket) {
    const bool dots_over_tls = endpoint.tls && bucket.find('.') != std::string::npos;
    return !endpoint.is_numeric() && endpoint.host != "localhost" && endpoint.host.find('.') != std::string::npos && !dots_over_tls;
}

net::TlsOptions tls_options(const OriginOptions& options) {
    net::TlsOptions out;
    out.ca_bundle = options.ca_bundle;
    out.ca_pem = options.ca_pem;
    return out;
}

}  // namespace

void Concurrency::succeeded() {
    const uint32_t now = now_.load(std::memory_order_relaxed);
    if (now >= most_) return;
    if (successes_.fetch_add(1, std::memory_order_relaxed) + 1 < now) return;
    successes_ = 0;
    now_.fetch_add(1);
}

void Concurrency::throttled(int64_t now_ns) {
    const std::scoped_lock lock(mutex_);
    if (halved_at_ns_ != 0 && now_ns - halved_at_ns_ < kHalvedOnceNs) return;
    halved_at_ns_ = now_ns;
    now_ = std::max(1u, std::min(now_.load(), most_) / 2);
    successes_ = 0;
}

bool RetryBudget::take() {
    int have = tokens_.load();
    while (have >= kCost)
        if (tokens_.compare_exchange_weak(have, have - kCost)) return true;
    return false;
}

void RetryBudget::refund() {
    int have = tokens_.load(std::memory_order_relaxed);
    if (have < kFull) tokens_.compare_exchange_strong(have, have + 1);
}

uint64_t backoff_ms(uint32_t attempt, double random_unit, uint64_t retry_after_ms) {
    const uint64_t span = std::min(kBackoffMostMs, kBackoffFirstMs << std::min(attempt, 16u));
    return std::max(retry_after_ms, static_cast<uint64_t>(static_cast<double>(span) * random_unit));
}

Shared::Shared(std::string bucket_name, std::string key_prefix, OriginOptions origin_options, Machine on)
    : bucket(std::move(bucket_name)), prefix(std::move(key_prefix)), options(std::move(origin_options)), machine(on),
      credentials(options, machine), concurrency(options.connections > 0 ? options.connections : kConcurrencyMost),
      limiter(options.bytes_per_second), tls(net::make_tls_context(tls_options(options))),
      requests(machine.metrics.counter("zcdp_origin_requests_total", "Requests sent to origins.")),
      retries(machine.metrics.counter("zcdp_origin_retries_total", "Requests sent to origins again.")),
      bytes(machine.metrics.counter("zcdp_origin_bytes_total", "Body bytes received from origins.")) {}

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
    if (!endpoint_url_.empty()) ZCDP_CHECK(net::Endpoint::parse(endpoint_url_));
    ZCDP_TRY(address_rules, net::AddressRules::parse(options.denied_addresses));
    if (options.proxy.empty()) {
        ZCDP_TRY(proxies, net::Proxies::from_environment(machine.environment));
    } else {
        ZCDP_TRY(net::Proxy proxy, net::Proxy::parse(options.proxy));
        if (!options.proxy_user.empty()) proxy.set_credentials(options.proxy_user, options.proxy_password);
        proxies = net::Proxies::all_through(std::move(proxy));
    }
    address_ = address_for(region);
    return {};
}

Address Shared::address_for(const std::string& region) const {
    Address address;
    address.region = region;
    address.aws = endpoint_url_.empty();
    const std::string domain = region.starts_with("cn-") ? ".amazonaws.com.cn" : ".amazonaws.com";
    address.endpoint = address.aws ? net::Endpoint{true, "s3." + region + domain, 443}
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
