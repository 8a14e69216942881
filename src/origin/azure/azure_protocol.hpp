// Azure Blob Storage by its REST API (learn.microsoft.com/rest/api/storageservices): az://ACCOUNT/CONTAINER/PREFIX/.
// A tag is an ETag. Thread rule: belongs to its loop.
#pragma once

#include <atomic>
#include <memory>

#include "src/origin/azure/credentials.hpp"
#include "src/origin/remote/protocol.hpp"

namespace zcdp::origin::azure {

/// What all loops that read one container share.
class AzureContainer final : public Remote {
  public:
    AzureContainer(std::string account, std::string container, std::string prefix, OriginOptions options,
                   Machine machine)
        : Remote(std::move(prefix), std::move(options), machine),
          account(std::move(account)),
          container(std::move(container)),
          credentials(this->options, machine) {}
    /// Reads the settings. Errors: usage.
    Result<> configure();

    const std::string account, container;
    CredentialSource credentials;
    net::Endpoint endpoint;
    std::string path_prefix;              ///< "/ACCOUNT" where the host's name does not say it
    std::atomic<bool> sums_ranges{true};  ///< until the service says that it does not
};

/// ACCOUNT, CONTAINER and PREFIX of az://ACCOUNT/CONTAINER[/PREFIX] or
/// https://ACCOUNT.blob.core.windows.net/CONTAINER[/PREFIX].
struct Location {
    std::string account, container, prefix;
    std::string endpoint;  ///< of the https form; "" of the other
    std::string sas;       ///< the https form's query, without '?'; a secret
};
bool is_blob_url(const std::string& source);
/// Pure. Errors: usage.
Result<Location> parse_location(const std::string& source);

std::unique_ptr<Protocol> make_azure_protocol(std::shared_ptr<AzureContainer> shared);

}  // namespace zcdp::origin::azure
