// What all loops that read one bucket share: who asks, and where.
// Thread rule: any thread.
#pragma once

#include <mutex>
#include <string>

#include "src/origin/remote/remote.hpp"
#include "src/origin/s3/credentials.hpp"
#include "src/origin/s3/location.hpp"

namespace zcdp::origin::s3 {

/// Where a bucket is spoken to.
struct Address {
    net::Endpoint endpoint;
    std::string path_prefix;  ///< "" or "/bucket"
    std::string region;
    bool aws = false;         ///< region decides the host
};

class Shared final : public Remote {
  public:
    Shared(Location location, OriginOptions options, Machine machine);
    /// Reads the settings. Errors: usage.
    Result<> configure();

    Address address() const;
    /// Headers that every request of an object carries: who pays, and the key of SSE-C.
    std::vector<net::Header> object_headers() const;
    /// The origin says that the bucket is in `region`; false when that is known already or is none.
    bool move_to_region(const std::string& region);

    const Location location;
    const std::string& bucket = location.bucket;
    CredentialSource credentials;

  private:
    Address address_for(const std::string& region) const;
    mutable std::mutex mutex_;
    Address address_;
    std::string endpoint_url_;
};

}  // namespace zcdp::origin::s3
