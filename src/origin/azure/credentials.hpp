// Azure's credentials, in this order: anonymous if asked for; those that the backend's Secret holds; the connection
// string, the account's key and the SAS token of the environment (AZURE_STORAGE_CONNECTION_STRING, _KEY, _SAS_TOKEN, as
// the az command line reads them); workload identity (AZURE_FEDERATED_TOKEN_FILE); a service principal
// (AZURE_CLIENT_SECRET); the managed identity of the machine.
//
// Thread rule: one source serves all loops; get() runs on the calling loop, with that loop's HTTP client.
#pragma once

#include <string>
#include <vector>

#include "src/origin/remote/refreshing.hpp"
#include "src/origin/remote/token.hpp"
#include "zcdp/net/http.hpp"
#include "zcdp/origin/options.hpp"

namespace zcdp::origin::azure {

/// What a Shared Key signature covers (learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key).
struct SigningInput {
    std::string method, account;
    std::string path;                                        ///< as on the wire
    std::vector<std::pair<std::string, std::string>> query;  ///< plain, sorted by name
    std::vector<net::Header> headers;                        ///< all that are sent
};
/// The text that is signed. Pure.
std::string string_to_sign(const SigningInput& input);
/// The Authorization header's value. `key`: raw bytes. Pure.
std::string shared_key_authorization(const SigningInput& input, std::string_view key);

/// A member of "AccountName=…;AccountKey=…;BlobEndpoint=…", whose names may be in small or capital letters; "" when it
/// is not there. Pure.
std::string connection_string_field(std::string_view text, std::string_view name);

/// The blob service's URL that a connection string names, by BlobEndpoint or by EndpointSuffix
/// (learn.microsoft.com/azure/storage/ common/storage-configure-connection-string); "" when it names none. Pure.
std::string blob_endpoint(std::string_view connection_string, const std::string& account);

class CredentialSource {
  public:
    CredentialSource(const OriginOptions& options, Machine machine);
    /// Reads what there is to read. Errors: usage (a key that is no base64, a variable without those that it needs).
    Result<> choose();

    enum class Kind { anonymous, shared_key, sas, federated, secret, managed };
    Kind kind() const { return kind_; }
    const std::string& shared_key() const { return key_; }  ///< raw; kind shared_key
    const std::string& sas() const { return sas_; }         ///< a query without '?'; kind sas

    /// A bearer token, for the kinds that have one. Errors: denied, timeout, unreachable.
    Task<Result<Token>> get(net::HttpClient& http, int64_t clock_skew_s);
    /// The server refused this token: the next get() fetches another.
    void expired(const std::string& bearer) { token_.drop(bearer); }
    /// A name for whose bytes these are, never a secret.
    std::string identity() const;

  private:
    /// False when neither a key nor a SAS is given.
    Result<bool> choose_key();
    Result<> choose_identity();
    Task<Result<Token>> fetch(net::HttpClient& http);
    Task<Result<Token>> from_metadata(net::HttpClient& http);
    std::string environment(const char* name) const { return machine_.environment(name); }

    const OriginOptions options_;
    Machine machine_;
    Kind kind_ = Kind::managed;
    std::string key_, sas_, tenant_, client_, token_file_, client_secret_;
    Refreshing<Token> token_;
};

}  // namespace zcdp::origin::azure
