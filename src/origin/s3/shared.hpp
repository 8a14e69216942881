// What all loops that read one bucket share: who asks, where, how fast, and how often again.
// Thread rule: any thread.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>

#include "src/origin/rate_limiter.hpp"
#include "src/origin/s3/credentials.hpp"
#include "zcdp/net/http.hpp"

namespace zcdp::origin::s3 {

/// How many requests at once: halved when the origin asks for it, one more for every so many that went well
/// (additive increase, multiplicative decrease; Chiu and Jain 1989). Pure but for the lock.
class Concurrency {
  public:
    explicit Concurrency(uint32_t most) : most_(most), now_(most) {}
    uint32_t now() const { return now_.load(std::memory_order_relaxed); }
    void succeeded();
    /// One answer stands for all that were under way with it: within a second only the first counts.
    void throttled(int64_t now_ns);

  private:
    const uint32_t most_;
    std::atomic<uint32_t> now_;
    std::atomic<uint32_t> successes_{0};
    std::mutex mutex_;
    int64_t halved_at_ns_ = 0;
};

/// Retries draw from one purse that successes fill again, so that an origin that is down is not stormed.
class RetryBudget {
  public:
    bool take();
    void refund();

  private:
    static constexpr int kFull = 1000, kCost = 5;
    std::atomic<int> tokens_{kFull};
};

/// The pause before attempt `attempt` + 1: full jitter over an exponentially growing span (AWS Architecture Blog,
/// "Exponential Backoff And Jitter"), never less than what Retry-After asks for.
uint64_t backoff_ms(uint32_t attempt, double random_unit, uint64_t retry_after_ms);

/// Where a bucket is spoken to.
struct Address {
    net::Endpoint endpoint;
    std::string path_prefix;  ///< "" or "/bucket"
    std::string region;
    bool aws = false;         ///< region decides the host
};

class Shared {
  public:
    Shared(std::string bucket, std::string prefix, OriginOptions options, Machine machine);
    /// Reads the settings. Errors: usage.
    Result<> configure();

    Address address() const;
    /// The origin says that the bucket is in `region`; false when that is known already or is none.
    bool move_to_region(const std::string& region);

    const std::string bucket, prefix;
    const OriginOptions options;
    Machine machine;
    CredentialSource credentials;
    Concurrency concurrency;
    RetryBudget budget;
    RateLimiter limiter;
    std::atomic<int64_t> clock_skew_s{0};
    std::shared_ptr<net::TlsContext> tls;
    net::Proxies proxies;
    net::AddressRules address_rules;  ///< for the bucket's endpoint; where credentials come from is the machine's own matter
    Counter &requests, &retries, &bytes;

  private:
    Address address_for(const std::string& region) const;
    mutable std::mutex mutex_;
    Address address_;
    std::string endpoint_url_;
};

}  // namespace zcdp::origin::s3
