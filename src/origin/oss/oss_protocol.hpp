// Alibaba Cloud OSS by its own API (alibabacloud.com/help/en/oss/developer-reference): oss://BUCKET/PREFIX/. Listings
// and errors have S3's shape; signatures, headers and checksums are OSS's own. Thread rule: belongs to its loop.
#pragma once

#include <memory>

#include "src/origin/oss/credentials.hpp"
#include "src/origin/remote/protocol.hpp"

namespace zcdp::origin::oss {

/// What all loops that read one bucket share.
class OssBucket final : public Remote {
  public:
    OssBucket(std::string bucket, std::string prefix, OriginOptions options, Machine machine)
        : Remote(std::move(prefix), std::move(options), machine),
          bucket(std::move(bucket)),
          credentials(this->options, machine) {}
    /// Reads the settings. Errors: usage.
    Result<> configure();

    const std::string bucket;
    CredentialSource credentials;
    net::Endpoint endpoint;
    std::string path_prefix, region;
};

std::unique_ptr<Protocol> make_oss_protocol(std::shared_ptr<OssBucket> shared);

}  // namespace zcdp::origin::oss
