// Google's application default credentials (cloud.google.com/docs/authentication/application-default-credentials), in
// this order: anonymous if asked for; the JSON that the backend's Secret holds; the file that
// $GOOGLE_APPLICATION_CREDENTIALS names; gcloud's own file; the metadata server of GCE and GKE (workload identity). The
// JSON may be a service account's key, a user's refresh token, or an external account (workload identity federation: a
// token from a file or a URL is exchanged).
//
// Thread rule: one source serves all loops; get() runs on the calling loop, with that loop's HTTP client.
#pragma once

#include <memory>
#include <string>

#include "src/origin/remote/refreshing.hpp"
#include "src/origin/remote/token.hpp"
#include "zcdp/net/http.hpp"
#include "zcdp/origin/options.hpp"

namespace zcdp::origin::gcs {

/// What a credentials file says. Which fields are set depends on `type`.
struct Account {
    enum class Type { none, service_account, authorized_user, external_account };
    Type type = Type::none;
    std::string email, private_key_pem, private_key_id, token_url;        // service_account
    std::string client_id, client_secret, refresh_token;                  // authorized_user
    std::string audience, subject_token_type, subject_file, subject_url;  // external_account
    std::string subject_field;  // JSON member that holds the token; "": all of it is
    std::vector<net::Header> subject_headers;
    std::string impersonation_url;
    std::string quota_project;  ///< the project that is billed; "" for the account's own
};

/// Whether this can be a project's id or number; it goes into a header. Pure.
bool is_project(std::string_view name);

/// Pure. Errors: usage (a kind that is not known, a field that is missing).
Result<Account> parse_account(std::string_view json);

/// The signed JWT that a service account exchanges for a token (RFC 7523). Errors: usage (no RSA key).
Result<std::string> service_account_jwt(const Account& account, int64_t now_unix_s);

class TokenSource {
  public:
    TokenSource(const OriginOptions& options, Machine machine);
    /// Reads what there is to read. Errors: usage, denied (a file that is named is not there).
    Result<> choose();

    /// Errors: denied, timeout, unreachable.
    Task<Result<Token>> get(net::HttpClient& http, int64_t clock_skew_s);
    /// The server refused this token: the next get() fetches another, if there is a source of them.
    void expired(const std::string& bearer);
    /// The project that the environment or the credentials' file says is to be billed; "" without one.
    const std::string& quota_project() const { return account_.quota_project; }
    /// A name for whose bytes these are, never a secret.
    std::string identity() const;

  private:
    enum class Kind { anonymous, account, metadata };
    Task<Result<Token>> fetch(net::HttpClient& http);
    Task<Result<Token>> exchange(net::HttpClient& http, std::string url, std::string form);
    Task<Result<std::string>> subject_token(net::HttpClient& http);
    Task<Result<Token>> external(net::HttpClient& http);
    Task<Result<Token>> from_metadata(net::HttpClient& http);

    const OriginOptions options_;
    Machine machine_;
    Kind kind_ = Kind::metadata;
    Account account_;
    Refreshing<Token> token_;
};

}  // namespace zcdp::origin::gcs
