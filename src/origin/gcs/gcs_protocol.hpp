// Google Cloud Storage by its JSON API (cloud.google.com/storage/docs/json_api/v1): gs://BUCKET/PREFIX/.
// A tag is an object's generation, and every read names it. Thread rule: belongs to its loop.
#pragma once

#include <memory>

#include "src/origin/gcs/credentials.hpp"
#include "src/origin/remote/protocol.hpp"

namespace zcdp::origin::gcs {

/// What all loops that read one bucket share.
class GcsBucket final : public Remote {
  public:
    GcsBucket(std::string bucket, std::string prefix, OriginOptions options, Machine machine)
        : Remote(std::move(prefix), std::move(options), machine),
          bucket(std::move(bucket)),
          tokens(this->options, machine) {}
    /// Reads the settings. Errors: usage, denied.
    Result<> configure();

    const std::string bucket;
    TokenSource tokens;
    net::Endpoint endpoint;
};

/// The call as a request that carries no credentials yet. Who is billed: `billing_project`, else `quota_project`, else
/// the bucket's own project. Pure.
net::Request request_of(const std::string& bucket, const Call& call, const std::string& billing_project,
                        const std::string& quota_project);

std::unique_ptr<Protocol> make_gcs_protocol(std::shared_ptr<GcsBucket> shared);

}  // namespace zcdp::origin::gcs
