#include "src/origin/s3/credentials.hpp"

#include <boost/json.hpp>

#include "src/origin/remote/answers.hpp"
#include "src/origin/remote/given.hpp"
#include "src/origin/remote/token.hpp"
#include "src/origin/remote/xml.hpp"

namespace zcdp::origin::s3 {
namespace {

constexpr uint64_t kFetchTimeoutMs = 10'000;
constexpr uint64_t kInstanceTimeoutMs = 2'000;

constexpr const char* kNoneHint =
    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, choose a --profile, or use --anonymous";

/// What is put into headers must be such that it can be.
bool are_credentials(const Credentials& some) {
    return is_header_word(some.access_key) && !some.secret_key.empty() &&
           (some.session_token.empty() || is_header_word(some.session_token));
}

Error half_a_pair(const std::string& there, const std::string& missing) {
    return Error(ErrorKind::usage, "is set without " + missing, there, "give both, or neither");
}

/// The keys that one file has for a profile; nothing when it has none. Errors: usage (half a pair, characters that no
/// key has).
Result<std::optional<Credentials>> keys_of(const Settings& profile, const std::string& name) {
    const auto value = [&](const char* key) {
        const auto found = profile.find(key);
        return found == profile.end() ? std::string() : without_comment(found->second);
    };
    const auto named = [&](const char* key) { return std::string(key) + " of the profile " + name; };
    Credentials keys;
    ZCDP_TRY(keys.access_key, clean_header_secret(value("aws_access_key_id"), named("aws_access_key_id")));
    ZCDP_TRY(keys.secret_key, clean_secret(value("aws_secret_access_key"), named("aws_secret_access_key")));
    if (keys.access_key.empty() && keys.secret_key.empty()) return std::optional<Credentials>();
    if (keys.secret_key.empty()) return half_a_pair(named("aws_access_key_id"), "aws_secret_access_key");
    if (keys.access_key.empty()) return half_a_pair(named("aws_secret_access_key"), "aws_access_key_id");
    for (const char* token : {"aws_security_token", "aws_session_token"})  // the older name first, as botocore has it
        if (keys.session_token.empty()) {
            ZCDP_TRY(keys.session_token, clean_header_secret(value(token), named(token)));
        }
    return std::optional(std::move(keys));
}

/// Container credentials come from loopback, or from the two addresses that ECS and EKS use, or over TLS
/// (docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html).
bool may_serve_credentials(const net::Endpoint& endpoint) {
    return endpoint.tls || endpoint.is_loopback() || endpoint.host == "169.254.170.2" ||
           endpoint.host == "169.254.170.23" || endpoint.host == "fd00:ec2::23";
}

}  // namespace

Result<Credentials> parse_sts_answer(std::string_view xml) {
    const auto leaves = xml_leaves(xml);
    if (!leaves) return Error(ErrorKind::denied, "the token service's answer is no XML");
    Credentials credentials;
    for (const auto& [name, text] : *leaves) {
        if (name == "AccessKeyId") credentials.access_key = text;
        if (name == "SecretAccessKey") credentials.secret_key = text;
        if (name == "SessionToken") credentials.session_token = text;
        if (name == "Expiration") credentials.expires_unix_s = parse_iso8601(text);
    }
    if (!are_credentials(credentials) || credentials.expires_unix_s <= 0)
        return Error(ErrorKind::denied, "the token service's answer has no credentials");
    return credentials;
}

Result<Credentials> parse_json_credentials(std::string_view text) {
    ZCDP_TRY(const boost::json::object object, parse_json_object(text, "the credentials' answer", ErrorKind::denied));
    Credentials credentials{text_of(object, "AccessKeyId"), text_of(object, "SecretAccessKey"),
                            text_of(object, "Token"), 0};
    if (credentials.session_token.empty())
        credentials.session_token = text_of(object, "SessionToken");  // a program's word for it
    if (const std::string ends = text_of(object, "Expiration"); !ends.empty()) {
        credentials.expires_unix_s = parse_iso8601(ends);
        if (credentials.expires_unix_s <= 0) return Error(ErrorKind::denied, "the credentials' end is no date");
    }
    const std::string word = refusal_word(text);
    if (!are_credentials(credentials))
        return Error(ErrorKind::denied, "the answer has no credentials" + (word.empty() ? "" : ": " + word));
    return credentials;
}

CredentialSource::CredentialSource(const OriginOptions& options, Machine machine,
                                   std::shared_ptr<const AwsSettings> settings)
    : options_(options), machine_(machine), settings_(std::move(settings)), current_(machine.log) {}

Result<> CredentialSource::choose() {
    if (options_.anonymous) {
        kind_ = Kind::anonymous;
        current_.set(Credentials{});
        return {};
    }
    ZCDP_TRY(const bool given, take_given_keys());
    return given ? Result<>() : choose_from_profiles();
}

Result<bool> CredentialSource::take_given_keys() {
    constexpr const char *kId = "AWS_ACCESS_KEY_ID", *kSecret = "AWS_SECRET_ACCESS_KEY";
    if (options_.credentials.empty() && !options_.profile.empty()) return false;
    Credentials keys;
    ZCDP_TRY(keys.access_key, credential(options_, machine_, kId));
    ZCDP_TRY(keys.secret_key, credential(options_, machine_, kSecret));
    ZCDP_TRY(keys.session_token, credential(options_, machine_, "AWS_SESSION_TOKEN"));
    if (keys.session_token.empty() && options_.credentials.empty()) {
        ZCDP_TRY(keys.session_token,
                 clean_header_secret(environment("AWS_SECURITY_TOKEN"), "AWS_SECURITY_TOKEN"));  // its older name
    }
    if (keys.access_key.empty() && keys.secret_key.empty()) return false;
    if (keys.secret_key.empty()) return half_a_pair(kId, kSecret);
    if (keys.access_key.empty()) return half_a_pair(kSecret, kId);
    use_keys(std::move(keys));
    return true;
}

void CredentialSource::use_keys(Credentials keys) {
    kind_ = Kind::fixed;
    if (roles_.empty()) current_.set(std::move(keys));
    else keys_ = std::move(keys);
}

Result<> CredentialSource::choose_from_profiles() {
    const std::string& name = settings_->profile_name;
    const bool named = settings_->profile_is_named;
    ZCDP_TRY(RoleChain chain, role_chain(settings_->files, name));
    roles_ = std::move(chain.roles);
    if (chain.source != RoleSource::profile) return choose_role_source(chain.source);
    if (!roles_.empty()) {
        ZCDP_TRY(const bool has, choose_from_profile(chain.profile));
        return has ? Result<>()
                   : Error(ErrorKind::denied, "is a source_profile without credentials", "profile " + chain.profile);
    }
    // Who is named comes first: a profile, or else the token of the environment before the profile that is nobody's
    // choice.
    for (const bool of_profile : {named, !named}) {
        if (!of_profile && settings_->profile_is_a_flag) continue;
        ZCDP_TRY(const bool found, of_profile ? choose_from_profile(name) : choose_web_identity());
        if (found) return {};
    }
    if (has_container() && !settings_->profile_is_a_flag) kind_ = Kind::container;
    else if (named)
        return Error(ErrorKind::denied, "has no credentials", "profile " + name,
                     "give it some (aws configure), or leave it out: nobody else's are used in its place");
    return {};
}

Result<> CredentialSource::choose_role_source(RoleSource source) {
    const std::string profile = "profile " + settings_->profile_name;
    if (source == RoleSource::instance) {
        kind_ = Kind::instance;
    } else if (source == RoleSource::container) {
        kind_ = Kind::container;
        if (!has_container())
            return Error(ErrorKind::denied,
                         "has credential_source = EcsContainer, but AWS_CONTAINER_CREDENTIALS_RELATIVE_URI and "
                         "_FULL_URI are not set",
                         profile);
    } else {
        OriginOptions of_environment;  // whatever else was given
        Credentials keys;
        ZCDP_TRY(keys.access_key, credential(of_environment, machine_, "AWS_ACCESS_KEY_ID"));
        ZCDP_TRY(keys.secret_key, credential(of_environment, machine_, "AWS_SECRET_ACCESS_KEY"));
        ZCDP_TRY(keys.session_token, credential(of_environment, machine_, "AWS_SESSION_TOKEN"));
        if (keys.access_key.empty() || keys.secret_key.empty())
            return Error(
                ErrorKind::denied,
                "has credential_source = Environment, but AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set",
                profile);
        use_keys(std::move(keys));
    }
    return {};
}

Result<bool> CredentialSource::choose_from_profile(const std::string& name) {
    const Settings profile = settings_->files.profile(name).settings;
    const auto value = [&](const char* key) {
        const auto found = profile.find(key);
        return found == profile.end() ? std::string() : found->second;
    };
    if (token_file_ = value("web_identity_token_file"); !token_file_.empty()) {
        role_arn_ = without_comment(value("role_arn")), role_session_ = value("role_session_name"),
        token_file_name_ = "web_identity_token_file of the profile " + name;
        if (role_arn_.empty()) return half_a_pair(token_file_name_, "role_arn");
        if (role_session_.empty()) role_session_ = "zcdp";
        kind_ = Kind::web_identity;
        return true;
    }
    ZCDP_TRY(auto sso, read_sso(settings_->files, name));
    if (sso) {
        sso_ = std::move(*sso), kind_ = Kind::sso;
        return true;
    }
    ZCDP_TRY(auto keys, keys_of(settings_->files.in_credentials(name), name));
    if (!keys && profile.contains("login_session"))
        return Error(ErrorKind::usage, "is for `aws login` (login_session), whose credentials zcdp does not read",
                     "profile " + name,
                     "add credential_process = aws configure export-credentials --profile " + printable(name) +
                         " to another profile");
    if (process_ = value("credential_process"); !keys && !process_.empty()) {
        kind_ = Kind::process, process_profile_ = name;
        return true;
    }
    if (!keys) {
        ZCDP_TRY(keys, keys_of(settings_->files.in_config(name), name));
    }
    if (keys) use_keys(std::move(*keys));
    return keys.has_value();
}

Result<bool> CredentialSource::choose_web_identity() {
    constexpr const char *kFile = "AWS_WEB_IDENTITY_TOKEN_FILE", *kRole = "AWS_ROLE_ARN";
    ZCDP_TRY(token_file_, clean_secret(environment(kFile), kFile));
    if (token_file_.empty()) return false;
    ZCDP_TRY(role_arn_, clean_secret(environment(kRole), kRole));
    if (role_arn_.empty()) return half_a_pair(kFile, kRole);
    ZCDP_TRY(role_session_, clean_secret(environment("AWS_ROLE_SESSION_NAME"), "AWS_ROLE_SESSION_NAME"));
    if (role_session_.empty()) role_session_ = "zcdp";
    token_file_name_ = kFile;
    kind_ = Kind::web_identity;
    return true;
}

bool CredentialSource::has_container() const {
    return !environment("AWS_CONTAINER_CREDENTIALS_FULL_URI").empty() ||
           !environment("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI").empty();
}

std::string CredentialSource::identity() const {
    if (!roles_.empty()) return roles_.back().arn;
    switch (kind_) {
        case Kind::anonymous: return "anonymous";
        case Kind::web_identity: return role_arn_;
        case Kind::process: return "process:" + process_;
        case Kind::sso: return "sso:" + sso_.account_id + "/" + sso_.role_name;
        case Kind::container:
            return "container:" + environment("AWS_CONTAINER_CREDENTIALS_FULL_URI") +
                   environment("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
        case Kind::instance: return "instance";
        case Kind::fixed: break;
    }
    const auto present = current_.current();
    return present ? present->access_key : "";
}

Task<Result<Credentials>> CredentialSource::get(net::HttpClient& http, int64_t clock_skew_s) {
    auto once = [this, &http, clock_skew_s] {
        return fetch(http, clock_skew_s);
    };  // no coroutine itself; lives in this frame
    co_return co_await current_.get(machine_.clock, clock_skew_s, once);
}

void CredentialSource::expired(const std::string& id) {
    if ((kind_ != Kind::fixed || !roles_.empty()) && kind_ != Kind::anonymous) current_.drop(id);
}

Result<Sts> CredentialSource::sts() const {
    const std::string region = settings_->region();
    ZCDP_TRY(const std::string url, settings_->endpoint_url("sts"));
    return sts_of(url, region.empty() ? options_.region : region, settings_->fips());
}

Task<Result<Credentials>> CredentialSource::fetch(net::HttpClient& http, int64_t clock_skew_s) {
    ZCDP_CO_TRY(Credentials held, co_await fetch_first(http));
    if (roles_.empty()) co_return held;
    ZCDP_CO_TRY(const Sts where, sts());
    for (const Role& role : roles_) {
        ZCDP_CO_TRY(held,
                    co_await assume_role(role, std::move(held), where, machine_.clock.unix_s() + clock_skew_s, http));
    }
    co_return held;
}

Task<Result<Credentials>> CredentialSource::fetch_first(net::HttpClient& http) {
    switch (kind_) {
        case Kind::fixed: co_return keys_;
        case Kind::process: co_return co_await credentials_of_process(process_, process_profile_, options_.timeout_ms);
        case Kind::sso: {
            ZCDP_CO_TRY(const std::string portal, settings_->endpoint_url("sso"));
            co_return co_await credentials_of_sso(sso_, portal, machine_, http);
        }
        case Kind::web_identity: co_return co_await fetch_web_identity(http);
        case Kind::container: co_return co_await fetch_container(http);
        default: co_return co_await fetch_instance(http);
    }
}

/// docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
Task<Result<Credentials>> CredentialSource::fetch_web_identity(net::HttpClient& http) {
    ZCDP_CO_TRY(const std::string token, read_secret_file(machine_.fs, token_file_, token_file_name_));
    ZCDP_CO_TRY(const Sts where, sts());
    const std::string url = where.endpoint.url() + (where.path == "/" ? "" : where.path);
    net::Request request;
    request.method = "POST";
    request.headers = {{"Content-Type", "application/x-www-form-urlencoded"}, {"Accept", "application/xml"}};
    request.body = "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=" + uri_encode(role_arn_, false) +
                   "&RoleSessionName=" + uri_encode(role_session_, false) +
                   "&WebIdentityToken=" + uri_encode(token, false);
    ZCDP_CO_TRY(const std::string answer, co_await ask_token_service(http, url, std::move(request), kFetchTimeoutMs,
                                                                     "check AWS_ROLE_ARN and what the role trusts"));
    co_return said_by(url, parse_sts_answer(answer));
}

Task<Result<Credentials>> CredentialSource::fetch_container(net::HttpClient& http) {
    std::string url = environment("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    if (url.empty()) url = "http://169.254.170.2" + environment("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    ZCDP_CO_TRY(const auto where, split_url(url));
    if (!may_serve_credentials(where.first))
        co_return Error(ErrorKind::denied, "may not serve container credentials: neither loopback nor TLS", url);
    net::Request request;
    constexpr const char *kToken = "AWS_CONTAINER_AUTHORIZATION_TOKEN",
                         *kFile = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
    std::string token;
    if (const std::string file(without_space_around(environment(kFile))); !file.empty()) {
        ZCDP_CO_TRY(token, read_secret_file(machine_.fs, file, kFile));
    } else {
        ZCDP_CO_TRY(token, clean_secret(environment(kToken), kToken));
    }
    if (!token.empty()) request.headers.emplace_back("Authorization", token);
    ZCDP_CO_TRY(const std::string answer,
                co_await ask_token_service(http, url, std::move(request), kFetchTimeoutMs, ""));
    co_return said_by(url, parse_json_credentials(answer));
}

/// docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html, version 2 only.
Task<Result<Credentials>> CredentialSource::fetch_instance(net::HttpClient& http) {
    if (settings_->is_true("AWS_EC2_METADATA_DISABLED", ""))
        co_return Error(ErrorKind::denied, "no credentials were found", "", kNoneHint);
    std::string url = settings_->value("AWS_EC2_METADATA_SERVICE_ENDPOINT", "ec2_metadata_service_endpoint");
    if (url.empty()) url = "http://169.254.169.254";
    if (url.ends_with('/')) url.pop_back();
    net::Request for_token;
    for_token.method = "PUT";
    for_token.headers = {{"X-aws-ec2-metadata-token-ttl-seconds", "21600"}};
    const auto token = co_await ask_token_service(http, url + "/latest/api/token", std::move(for_token),
                                                  kInstanceTimeoutMs, kNoneHint);
    if (!token) co_return none_found(token.error(), current_.has_given(), kNoneHint);
    if (!is_header_word(*token))
        co_return Error(ErrorKind::denied, "the metadata service's token is none", url, kNoneHint);
    const std::string folder = url + "/latest/meta-data/iam/security-credentials/";
    net::Request for_role;
    for_role.headers = {{"X-aws-ec2-metadata-token", *token}};
    const auto role = co_await ask_token_service(http, folder, for_role, kInstanceTimeoutMs, kNoneHint);
    if (!role) co_return none_found(role.error(), current_.has_given(), kNoneHint);
    if (role->empty())
        co_return Error(ErrorKind::denied, "no credentials were found: the instance has no role", url, kNoneHint);
    const std::string of_role = folder + uri_encode(role->substr(0, role->find('\n')), false);
    ZCDP_CO_TRY(const std::string answer,
                co_await ask_token_service(http, of_role, std::move(for_role), kInstanceTimeoutMs, kNoneHint));
    co_return said_by(of_role, parse_json_credentials(answer));
}

}  // namespace zcdp::origin::s3
