// What all loops that read one source over the network share, whatever its protocol: settings, pacing, counters.
// Thread rule: any thread, once configured.
#pragma once

#include <atomic>
#include <memory>
#include <string_view>

#include "zcdp/base/ids.hpp"
#include "zcdp/net/http.hpp"
#include "zcdp/origin/options.hpp"
#include "zcdp/transfer/concurrency.hpp"
#include "zcdp/transfer/hedge_policy.hpp"
#include "zcdp/transfer/rate_limiter.hpp"
#include "zcdp/transfer/retry_budget.hpp"

namespace zcdp::origin {

/// Whether this can be a bucket's name at one of the services. Pure.
bool is_bucket(std::string_view name);

/// What a bucket has an object under: the source's prefix and the path in the dataset's tree, which alone is no key.
/// Where a URL takes the place of a bucket, there is no prefix.
using ObjectKey = Id<struct ObjectKeyId>;

class Remote {
  public:
    /// `key`: what the SOURCE has behind its bucket. "" or with a '/' at its end it names a folder; without, a folder,
    /// or the object of that name where the folder is empty.
    Remote(std::string key, OriginOptions options, Machine machine);
    virtual ~Remote() = default;
    /// Reads proxies and address rules. Errors: usage.
    Result<> configure_network();

    /// "" or ends in '/'; every key of the source begins with it.
    const std::string& prefix() const { return is_object ? parent_ : folder_; }
    const ObjectKey object;                  ///< what the source may be itself; "": it is a folder
    std::atomic<bool> is_object{false};      ///< it is; found by the listing, before anything is read
    std::atomic<bool> lists_in_order{true};  ///< by the bytes of the keys; until a listing shows that it does not
    const OriginOptions options;
    Machine machine;
    transfer::Concurrency concurrency;
    transfer::RetryBudget budget;
    transfer::HedgePolicy patience;
    transfer::RateLimiter limiter;
    std::atomic<int64_t> clock_skew_s{0};
    enum class Ranges { unknown, has, has_none };
    std::atomic<Ranges> ranges{Ranges::unknown};  ///< what the server did with the last request for a part of an object
    /// Whether a part of an object can be asked for: as was seen, else as is `stated`.
    bool has_ranges(bool stated) const { return ranges == Ranges::unknown ? stated : ranges == Ranges::has; }
    std::shared_ptr<net::TlsContext> tls;
    net::Proxies proxies;
    const std::shared_ptr<net::AddressNotes> address_notes = net::make_address_notes();
    /// For the source's endpoint; where credentials come from is the machine's own matter
    net::AddressRules address_rules;
    Counter &requests, &retries, &hedges, &bytes;

  private:
    const std::string folder_, parent_;  ///< of `object`
};

}  // namespace zcdp::origin
