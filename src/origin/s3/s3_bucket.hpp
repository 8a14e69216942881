// What all loops that read one bucket share: who asks, and where.
// Thread rule: any thread.
#pragma once

#include <atomic>
#include <string>

#include "src/origin/remote/remote.hpp"
#include "src/origin/s3/address.hpp"
#include "src/origin/s3/credentials.hpp"

#include "zcdp/base/guarded.hpp"

namespace zcdp::origin::s3 {

class S3Bucket final : public Remote {
  public:
    S3Bucket(Location location, OriginOptions options, Machine machine, std::shared_ptr<const AwsSettings> settings);
    /// Reads the settings. Errors: usage.
    Result<> configure();

    Address address() const;
    /// Headers that every request of an object carries: who pays, and the key of SSE-C.
    std::vector<net::Header> object_headers() const;
    /// The origin says that the bucket is in `region`; false when that is known already or is none.
    bool move_to_region(const std::string& region);
    /// The origin says that it wants the bucket in its host's name; false when it stands there already, cannot, or must
    /// not.
    bool move_to_host();

    const Location location;
    const std::string& bucket = location.bucket;
    CredentialSource credentials;
    Refreshing<Credentials> session;  ///< of a directory bucket: what CreateSession gave

    // What is asked for as an extra, until the service refuses it.
    std::atomic<bool> states_checksums{true};  ///< x-amz-checksum-mode
    std::atomic<bool> encodes_keys{true};      ///< encoding-type
    std::atomic<bool> lists_v2{true};          ///< else ListObjects, which begins pages after keys

  private:
    Result<Addressing> addressing() const;
    const std::shared_ptr<const AwsSettings> settings_;
    mutable Mutex mutex_;
    Address address_ ZCDP_GUARDED_BY(mutex_);
    Addressing addressing_ ZCDP_GUARDED_BY(mutex_);
};

}  // namespace zcdp::origin::s3
