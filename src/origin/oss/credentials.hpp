// Alibaba Cloud's credentials, in this order: anonymous if asked for; OSS_ACCESS_KEY_ID and OSS_ACCESS_KEY_SECRET (and
// OSS_SESSION_TOKEN), or the same as ALIBABA_CLOUD_ACCESS_KEY_ID, _SECRET and _SECURITY_TOKEN; a role by OIDC
// (ALIBABA_CLOUD_OIDC_TOKEN_FILE: RRSA of ACK); the role of the ECS instance.
//
// Thread rule: one source serves all loops; get() runs on the calling loop, with that loop's HTTP client.
#pragma once

#include <string>

#include "src/origin/remote/refreshing.hpp"
#include "zcdp/net/http.hpp"
#include "zcdp/origin/options.hpp"

namespace zcdp::origin::oss {

/// Who asks. Never logged, never part of an error.
struct Credentials {
    std::string access_key, secret_key, security_token;
    int64_t expires_unix_s = 0;  ///< 0: never
    std::string id() const { return access_key + " " + security_token; }
};

/// {"AccessKeyId", "AccessKeySecret", "SecurityToken", "Expiration"}, alone or as the member "Credentials". Pure.
/// Errors: denied.
Result<Credentials> parse_credentials(std::string_view json);

class CredentialSource {
  public:
    CredentialSource(const OriginOptions& options, Machine machine);
    /// Reads what there is to read. Errors: usage (half a pair of keys, a variable without those that it needs).
    Result<> choose();
    bool anonymous() const { return kind_ == Kind::anonymous; }
    /// Errors: denied, timeout, unreachable.
    Task<Result<Credentials>> get(net::HttpClient& http, int64_t clock_skew_s);
    void expired(const std::string& id);
    /// A name for whose bytes these are, never a secret.
    std::string identity() const;

  private:
    enum class Kind { anonymous, fixed, oidc, instance };
    /// Of these variables; false when none is set.
    Result<bool> choose_keys(const char* id, const char* secret, const char* token);
    Task<Result<Credentials>> fetch(net::HttpClient& http);
    Task<Result<Credentials>> fetch_oidc(net::HttpClient& http);
    Task<Result<Credentials>> fetch_instance(net::HttpClient& http);
    std::string environment(const char* name) const { return machine_.environment(name); }

    const OriginOptions options_;
    Machine machine_;
    Kind kind_ = Kind::instance;
    Refreshing<Credentials> current_;
};

}  // namespace zcdp::origin::oss
