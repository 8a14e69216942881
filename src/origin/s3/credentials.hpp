// Where credentials come from, in this order (docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html):
// anonymous if asked for; $AWS_ACCESS_KEY_ID (not with --profile); a profile that is named; the role of the profile
// [default]; web identity ($AWS_WEB_IDENTITY_TOKEN_FILE, STS); the rest of the profile [default]; container
// ($AWS_CONTAINER_CREDENTIALS_FULL_URI or _RELATIVE_URI: EKS Pod Identity, ECS); the instance (IMDSv2). Of a profile:
// its role_arn, web identity, SSO session, keys of the credentials file, credential_process, keys of the config file.
// What is named and cannot be used is an error: nothing that comes after it is asked. Those with an end are fetched
// again before it; token files are read again each time.
//
// Thread rule: one CredentialSource serves all loops; get() runs on the calling loop, with that loop's HTTP client.
#pragma once

#include <memory>
#include <string>

#include "src/origin/remote/refreshing.hpp"
#include "src/origin/s3/profile_credentials.hpp"
#include "src/origin/s3/role.hpp"
#include "src/origin/s3/settings.hpp"
#include "src/origin/s3/sigv4.hpp"
#include "zcdp/net/http.hpp"
#include "zcdp/origin/options.hpp"

namespace zcdp::origin::s3 {

class CredentialSource {
  public:
    CredentialSource(const OriginOptions& options, Machine machine, std::shared_ptr<const AwsSettings> settings);

    /// The present credentials, fetched or refreshed if need be. `clock_skew_s` is added to the machine's clock.
    /// Errors: denied (none found, refused), timeout, unreachable.
    Task<Result<Credentials>> get(net::HttpClient& http, int64_t clock_skew_s);
    /// The server refused the ones with this id() as expired or unknown: the next get() fetches new ones, if their
    /// source has any.
    void expired(const std::string& id);
    /// A name for whose bytes these are, never a secret. Valid without get().
    std::string identity() const;

    /// Finds out whom to ask, without asking. Once, before get(). Errors: usage, denied (what is named cannot be used).
    Result<> choose();

  private:
    enum class Kind { anonymous, fixed, process, sso, web_identity, container, instance };
    /// Keys of the environment, or those given; false when there are none.
    Result<bool> take_given_keys();
    Result<> choose_from_profiles();
    /// What assumes the first role, where the profile says so itself.
    Result<> choose_role_source(RoleSource source);
    /// False when the profile says nothing of credentials.
    Result<bool> choose_from_profile(const std::string& name);
    /// $AWS_WEB_IDENTITY_TOKEN_FILE; false when it is not set.
    Result<bool> choose_web_identity();
    bool has_container() const;
    void use_keys(Credentials keys);
    Result<Sts> sts() const;
    Task<Result<Credentials>> fetch(net::HttpClient& http, int64_t clock_skew_s);
    /// Before any role is assumed.
    Task<Result<Credentials>> fetch_first(net::HttpClient& http);
    Task<Result<Credentials>> fetch_web_identity(net::HttpClient& http);
    Task<Result<Credentials>> fetch_container(net::HttpClient& http);
    Task<Result<Credentials>> fetch_instance(net::HttpClient& http);
    std::string environment(const char* name) const { return machine_.environment(name); }

    const OriginOptions options_;
    Machine machine_;
    const std::shared_ptr<const AwsSettings> settings_;
    Kind kind_ = Kind::instance;
    std::string role_arn_, token_file_, token_file_name_, role_session_, process_, process_profile_;
    Sso sso_;
    std::vector<Role> roles_;  ///< assumed one with another's credentials, beginning with those of kind_
    Credentials keys_;         ///< kind fixed, when there are roles
    Refreshing<Credentials> current_;
};

/// The answers' parsers. Pure. Errors: failed, denied.
Result<Credentials> parse_sts_answer(std::string_view xml);
Result<Credentials> parse_json_credentials(std::string_view json);

}  // namespace zcdp::origin::s3
