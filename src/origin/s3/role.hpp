// Roles that a profile of the AWS config files assumes (role_arn with source_profile or credential_source), and STS's
// AssumeRole (docs.aws.amazon.com/sdkref/latest/guide/feature-assume-role-credentials.html,
// STS/latest/APIReference/API_AssumeRole.html). Thread rule: values; assume_role runs on the calling loop.
#pragma once

#include <string>
#include <vector>

#include "src/origin/s3/profile.hpp"
#include "src/origin/s3/sigv4.hpp"
#include "zcdp/net/http.hpp"

namespace zcdp::origin::s3 {

struct Role {
    std::string arn, session_name, external_id;
    uint32_t duration_s = 0;  ///< 0: the service's choice
};

/// Where the credentials come from that assume the first role.
enum class RoleSource { profile, environment, instance, container };
struct RoleChain {
    std::vector<Role> roles;  ///< in the order in which they are assumed; none: the profile is no role
    RoleSource source = RoleSource::profile;
    std::string profile;  ///< source profile: the name of the one whose credentials come first
};
/// Follows source_profile from profile `name`. Keys (or half a pair of them) win over a role in each profile but the
/// first. Pure. Errors: usage (a loop, a profile that is missing, mfa_serial, settings that do not go together).
Result<RoleChain> role_chain(const AwsFiles& files, const std::string& name);

/// Where STS is asked, and the region requests are signed for.
struct Sts {
    net::Endpoint endpoint;
    std::string region;
    std::string path = "/";  ///< of requests
};
/// `region` "": the one for all regions. Errors: usage.
Result<Sts> sts_of(const std::string& endpoint_url, const std::string& region, bool fips = false);

/// Pure.
net::Request assume_role_request(const Role& role, const Credentials& with, const Sts& sts, int64_t unix_s);
/// Errors: denied, unreachable, timeout, failed.
Task<Result<Credentials>> assume_role(Role role, Credentials with, Sts sts, int64_t unix_s, net::HttpClient& http);

}  // namespace zcdp::origin::s3
