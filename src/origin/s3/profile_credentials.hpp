// Credentials that a profile of the AWS config files leads to: a program (credential_process) or IAM Identity Center
// (SSO). Thread rule: on the calling loop.
#pragma once

#include <string>

#include "src/origin/s3/profile.hpp"
#include "src/origin/s3/sigv4.hpp"
#include "zcdp/net/http.hpp"
#include "zcdp/origin/options.hpp"

namespace zcdp::origin::s3 {

/// docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html: `command` goes to /bin/sh, and has a
/// minute, or `timeout_ms` if that is less. Errors: usage, denied, timeout.
Task<Result<Credentials>> credentials_of_process(std::string command, std::string profile, uint64_t timeout_ms);

/// docs.aws.amazon.com/sdkref/latest/guide/feature-sso-credentials.html: the token that `aws sso login` left behind,
/// exchanged for the role's credentials.
struct Sso {
    std::string cache_name;  ///< the session's name, or the start URL of older profiles
    std::string region, account_id, role_name;
};
/// What a profile says of SSO; nothing when it names neither account nor role. Pure. Errors: usage (what it names is
/// not whole, or a session that there is not).
Result<std::optional<Sso>> read_sso(const AwsFiles& files, const std::string& profile);
/// `portal`: another address than AWS's; "" for that. Errors: denied (no token, or an old one: names `aws sso login`),
/// unreachable, timeout.
Task<Result<Credentials>> credentials_of_sso(Sso sso, std::string portal, Machine machine, net::HttpClient& http);
/// The portal's answer. Pure. Errors: denied.
Result<Credentials> parse_sso_answer(std::string_view json);

}  // namespace zcdp::origin::s3
