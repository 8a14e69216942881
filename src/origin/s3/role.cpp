#include "src/origin/s3/role.hpp"

#include <algorithm>

#include "src/origin/remote/answers.hpp"
#include "src/origin/remote/token.hpp"
#include "src/origin/s3/answers.hpp"
#include "src/origin/s3/credentials.hpp"
#include "zcdp/base/clock.hpp"
#include "zcdp/base/percent.hpp"

namespace zcdp::origin::s3 {
namespace {

constexpr uint64_t kFetchTimeoutMs = 10'000;
constexpr size_t kAnswerBytesMax = 256 << 10;
constexpr uint64_t kDurationMinS = 900, kDurationMaxS = 43'200;
constexpr const char* kForm = "application/x-www-form-urlencoded";

std::string setting(const Settings& profile, const char* name) {
    const auto found = profile.find(name);
    return found == profile.end() ? "" : found->second;
}

/// Half a pair counts: it is an error later, and no reason to go on to others.
bool has_keys(const Settings& profile) {
    return profile.contains("aws_access_key_id") || profile.contains("aws_secret_access_key");
}

Error wrong(const std::string& profile, const std::string& what, const std::string& hint = "") {
    return Error(ErrorKind::usage, what, "profile " + profile, hint);
}

Result<Role> role_of(const Settings& profile, const std::string& name) {
    if (profile.contains("mfa_serial"))
        return wrong(name, "wants an MFA code (mfa_serial), which zcdp does not ask for",
                     "use a profile with credential_process, such as aws configure export-credentials");
    Role role{without_comment(setting(profile, "role_arn")), setting(profile, "role_session_name"),
              setting(profile, "external_id"), 0};
    if (role.session_name.empty()) role.session_name = "zcdp";
    if (const std::string text = without_comment(setting(profile, "duration_seconds")); !text.empty()) {
        uint64_t seconds = 0;
        if (!to_number(text, seconds) || seconds < kDurationMinS || seconds > kDurationMaxS)
            return wrong(name, "has a duration_seconds that is none: " + printable(text), "from 900 to 43200");
        role.duration_s = static_cast<uint32_t>(seconds);
    }
    return role;
}

Result<RoleSource> source_of(const std::string& text, const std::string& name) {
    if (text == "Environment") return RoleSource::environment;
    if (text == "Ec2InstanceMetadata") return RoleSource::instance;
    if (text == "EcsContainer") return RoleSource::container;
    return wrong(name, "has an unknown credential_source: " + printable(text),
                 "Environment, Ec2InstanceMetadata or EcsContainer");
}

}  // namespace

Result<RoleChain> role_chain(const AwsFiles& files, const std::string& first) {
    RoleChain chain;
    std::vector<std::string> visited;
    std::string name = first;
    while (true) {
        const Settings profile = files.profile(name).settings;
        if (!visited.empty() && !files.has(name))
            return wrong(visited.back(), "has a source_profile that there is not: " + printable(name));
        const std::string next = setting(profile, "source_profile"),
                          source = without_comment(setting(profile, "credential_source"));
        const bool is_role = profile.contains("role_arn") && !profile.contains("web_identity_token_file");
        // The first profile's own keys may be what assumes its role.
        const bool has_source = !next.empty() || !source.empty();
        if (!is_role || (has_keys(profile) && (!visited.empty() || !has_source))) break;
        if (!has_source) return wrong(name, "has a role_arn, but neither source_profile nor credential_source");
        if (!next.empty() && !source.empty()) return wrong(name, "has both source_profile and credential_source");
        ZCDP_TRY(Role role, role_of(profile, name));
        chain.roles.push_back(std::move(role));
        if (!source.empty()) {
            ZCDP_TRY(chain.source, source_of(source, name));
            break;
        }
        visited.push_back(name);
        if (next == name && has_keys(profile)) break;
        if (std::find(visited.begin(), visited.end(), next) != visited.end())
            return wrong(name, "closes a loop: its source_profile " + printable(next) + " leads back to it");
        name = next;
    }
    chain.profile = name;
    std::reverse(chain.roles.begin(), chain.roles.end());
    return chain;
}

Result<Sts> sts_of(const std::string& endpoint_url, const std::string& region, bool fips) {
    std::string url = endpoint_url;
    if (url.empty() && region.empty()) url = "https://sts.amazonaws.com";
    if (url.empty())
        url = std::string(fips ? "https://sts-fips." : "https://sts.") + region +
              (region.starts_with("cn-") ? ".amazonaws.com.cn" : ".amazonaws.com");
    ZCDP_TRY(auto base, net::BaseUrl::parse(url));
    return Sts{std::move(base.endpoint), region.empty() ? "us-east-1" : region, base.path + "/"};
}

net::Request assume_role_request(const Role& role, const Credentials& with, const Sts& sts, int64_t unix_s) {
    std::vector<std::pair<std::string, std::string>> fields{{"Action", "AssumeRole"},
                                                            {"Version", "2011-06-15"},
                                                            {"RoleArn", role.arn},
                                                            {"RoleSessionName", role.session_name}};
    if (!role.external_id.empty()) fields.emplace_back("ExternalId", role.external_id);
    if (role.duration_s > 0) fields.emplace_back("DurationSeconds", std::to_string(role.duration_s));
    net::Request request;
    request.method = "POST", request.target = sts.path;
    request.body = uri_encode_pairs(fields);
    const std::string date = amz_date(unix_s), host = sts.endpoint.authority(),
                      digest = to_hex(Sha256::of(request.body));
    SigningInput input;
    input.method = request.method, input.host = host, input.path = request.target;
    input.region = sts.region, input.service = "sts", input.amz_date = date, input.payload_sha256 = digest;
    input.extra_headers = {{"content-type", kForm}};
    request.headers = {{"Content-Type", kForm},
                       {"Accept", "application/xml"},
                       {"x-amz-date", date},
                       {"x-amz-content-sha256", digest},
                       {"Authorization", Signer().authorization(input, with)}};
    if (!with.session_token.empty()) request.headers.emplace_back("x-amz-security-token", with.session_token);
    return request;
}

Task<Result<Credentials>> assume_role(Role role, Credentials with, Sts sts, int64_t unix_s, net::HttpClient& http) {
    ZCDP_CO_TRY(const auto answer, co_await http.send(sts.endpoint, assume_role_request(role, with, sts, unix_s),
                                                      Deadline::in_ms(kFetchTimeoutMs)));
    ZCDP_CO_TRY(const std::string body, co_await answer->read_all(kAnswerBytesMax));
    if (answer->status() == 200) co_return parse_sts_answer(body);
    const ErrorAnswer why = parse_error(*answer, body);
    std::string what = "assuming the role: HTTP " + std::to_string(why.status);
    if (!why.code.empty()) what += " " + printable(why.code.substr(0, 100));
    if (!why.message.empty()) what += ": " + printable(why.message.substr(0, 300));
    co_return Error(why.status >= 500 ? ErrorKind::unreachable : ErrorKind::denied, what, role.arn,
                    "check role_arn, external_id and the source's right to sts:AssumeRole");
}

}  // namespace zcdp::origin::s3
