// Where credentials come from, in this order (docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html):
// anonymous if asked for; $AWS_ACCESS_KEY_ID (not with an explicit profile); the profile in the credentials and config
// files, its role_arn, keys, credential_process, SSO session or web identity; web identity ($AWS_WEB_IDENTITY_TOKEN_FILE,
// STS); container ($AWS_CONTAINER_CREDENTIALS_FULL_URI or _RELATIVE_URI: EKS Pod Identity, ECS); the instance (IMDSv2). Those with an end are fetched again before it; token
// files are read again each time.
//
// Thread rule: one CredentialSource serves all loops; get() runs on the calling loop, with that loop's HTTP client.
#pragma once

#include <memory>
#include <string>

#include "src/origin/remote/refreshing.hpp"
#include "src/origin/s3/profile_credentials.hpp"
#include "src/origin/s3/role.hpp"
#include "src/origin/s3/sigv4.hpp"
#include "zcdp/net/http.hpp"
#include "zcdp/origin/options.hpp"

namespace zcdp::origin::s3 {

class CredentialSource {
  public:
    CredentialSource(const OriginOptions& options, Machine machine);

    /// The present credentials, fetched or refreshed if need be. `clock_skew_s` is added to the machine's clock.
    /// Errors: denied (none found, refused), timeout, unreachable.
    Task<Result<Credentials>> get(net::HttpClient& http, int64_t clock_skew_s);
    /// The server refused the ones with this id() as expired or unknown: the next get() fetches new ones, if their source has any.
    void expired(const std::string& id);
    /// A name for whose bytes these are, never a secret. Valid without get().
    std::string identity() const;

    /// Whether the profile's settings can be used. Errors: usage, denied.
    Result<> check() const { return problem_ ? Result<>(*problem_) : Result<>(); }

    /// Settings of the profile besides credentials: "region", "endpoint_url"; "" when it has none.
    std::string setting(const std::string& name) const;

  private:
    enum class Kind { anonymous, fixed, process, sso, web_identity, container, instance };
    void choose();
    void choose_from_profiles(const ProfileFiles& files, const std::string& name);
    /// False when the profile says nothing of credentials.
    bool choose_from_profile(const Profile& profile, std::string_view config);
    void choose_from_environment();
    bool has_container() const;
    void use_keys(Credentials keys);
    Result<Sts> sts() const;
    Task<Result<Credentials>> fetch(net::HttpClient& http, int64_t clock_skew_s);
    /// Before any role is assumed.
    Task<Result<Credentials>> fetch_first(net::HttpClient& http);
    Task<Result<Credentials>> fetch_web_identity(net::HttpClient& http);
    Task<Result<Credentials>> fetch_container(net::HttpClient& http);
    Task<Result<Credentials>> fetch_instance(net::HttpClient& http);
    Result<std::string> read_token(const std::string& path) const;
    std::string environment(const char* name) const { return machine_.environment(name); }

    const OriginOptions options_;
    Machine machine_;
    Profile profile_;
    Kind kind_ = Kind::instance;
    std::string role_arn_, token_file_, role_session_, process_, process_profile_;
    Sso sso_;
    std::vector<Role> roles_;  ///< assumed one with another's credentials, beginning with those of kind_
    Credentials keys_;         ///< kind fixed, when there are roles
    std::optional<Error> problem_;
    Refreshing<Credentials> current_;
};

/// The answers' parsers. Pure. Errors: failed, denied.
Result<Credentials> parse_sts_answer(std::string_view xml);
Result<Credentials> parse_json_credentials(std::string_view json);

}  // namespace zcdp::origin::s3
