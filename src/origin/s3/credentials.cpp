#include "src/origin/s3/credentials.hpp"

#include <fcntl.h>

#include <boost/json.hpp>

#include "src/origin/remote/answers.hpp"
#include "src/origin/remote/token.hpp"
#include "src/origin/remote/xml.hpp"

namespace zcdp::origin::s3 {
namespace {

constexpr uint64_t kFetchTimeoutMs = 10'000;
constexpr uint64_t kInstanceTimeoutMs = 2'000;
constexpr size_t kFileBytesMax = 1 << 20;

constexpr const char* kNoneHint = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, choose a --profile, or use --anonymous";

/// What is put into headers must be such that it can be.
bool are_credentials(const Credentials& some) {
    return is_header_word(some.access_key) && !some.secret_key.empty() && (some.session_token.empty() || is_header_word(some.session_token));
}

/// Container credentials come from loopback, or from the two addresses that ECS and EKS use, or over TLS
/// (docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html).
bool may_serve_credentials(const net::Endpoint& endpoint) {
    return endpoint.tls || endpoint.is_loopback() || endpoint.host == "169.254.170.2" || endpoint.host == "169.254.170.23" || endpoint.host == "fd00:ec2::23";
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
    Credentials credentials{text_of(object, "AccessKeyId"), text_of(object, "SecretAccessKey"), text_of(object, "Token"), 0};
    if (credentials.session_token.empty()) credentials.session_token = text_of(object, "SessionToken");  // a program's word for it
    if (const std::string ends = text_of(object, "Expiration"); !ends.empty()) {
        credentials.expires_unix_s = parse_iso8601(ends);
        if (credentials.expires_unix_s <= 0) return Error(ErrorKind::denied, "the credentials' end is no date");
    }
    const std::string word = refusal_word(text);
    if (!are_credentials(credentials)) return Error(ErrorKind::denied, "the answer has no credentials" + (word.empty() ? "" : ": " + word));
    return credentials;
}

CredentialSource::CredentialSource(const OriginOptions& options, Machine machine) : options_(options), machine_(machine), current_(machine.log) {
    choose();
}

void CredentialSource::choose() {
    const std::string home = environment("HOME");
    const auto read = [&](const char* variable, const char* fallback) {
        std::string path = environment(variable);
        if (path.empty()) path = home + fallback;
        const auto text = read_user_file(machine_.fs, path, kFileBytesMax);
        return text ? *text : std::string();
    };
    std::string name = options_.profile.empty() ? environment("AWS_PROFILE") : options_.profile;
    if (name.empty()) name = "default";
    const ProfileFiles files{read("AWS_CONFIG_FILE", "/.aws/config"), read("AWS_SHARED_CREDENTIALS_FILE", "/.aws/credentials")};
    profile_ = files.find(name);

    if (options_.anonymous) {
        kind_ = Kind::anonymous;
        current_.set(Credentials{});
        return;
    }
    // Given ones, or the environment's unless a profile was asked for.
    if (!options_.credentials.empty() || options_.profile.empty()) {
        const auto named = [&](const char* name) { return credential(options_, machine_, name); };
        Credentials keys{named("AWS_ACCESS_KEY_ID"), named("AWS_SECRET_ACCESS_KEY"), named("AWS_SESSION_TOKEN"), 0};
        if (!keys.access_key.empty() && !keys.secret_key.empty()) return use_keys(std::move(keys));
    }
    choose_from_profiles(files, name);
}

void CredentialSource::use_keys(Credentials keys) {
    kind_ = Kind::fixed;
    if (roles_.empty()) current_.set(std::move(keys));
    else keys_ = std::move(keys);
}

void CredentialSource::choose_from_profiles(const ProfileFiles& files, const std::string& name) {
    auto chain = role_chain(files, name);
    if (!chain) {
        problem_ = std::move(chain).error();
        return;
    }
    roles_ = std::move(chain->roles);
    switch (chain->source) {
        case RoleSource::environment:
            use_keys({environment("AWS_ACCESS_KEY_ID"), environment("AWS_SECRET_ACCESS_KEY"), environment("AWS_SESSION_TOKEN"), 0});
            if (keys_.access_key.empty() || keys_.secret_key.empty())
                problem_ = Error(ErrorKind::denied, "has credential_source = Environment, but AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set", "profile " + name);
            return;
        case RoleSource::instance: kind_ = Kind::instance; return;
        case RoleSource::container:
            kind_ = Kind::container;
            if (!has_container()) problem_ = Error(ErrorKind::denied, "has credential_source = EcsContainer, but AWS_CONTAINER_CREDENTIALS_RELATIVE_URI and _FULL_URI are not set", "profile " + name);
            return;
        case RoleSource::profile: break;
    }
    process_profile_ = chain->profile;
    if (choose_from_profile(files.find(chain->profile), files.config)) return;
    if (roles_.empty()) return choose_from_environment();
    problem_ = Error(ErrorKind::denied, "is a source_profile without credentials", "profile " + chain->profile);
}

bool CredentialSource::choose_from_profile(const Profile& profile, std::string_view config) {
    const auto value = [&](const char* name) {
        const auto found = profile.find(name);
        return found == profile.end() ? std::string() : found->second;
    };
    if (profile.contains("aws_access_key_id") && profile.contains("aws_secret_access_key")) {
        use_keys({value("aws_access_key_id"), value("aws_secret_access_key"), value("aws_session_token"), 0});
        return true;
    }
    process_ = value("credential_process");
    if (!process_.empty() || read_sso(profile, config, sso_)) {
        kind_ = process_.empty() ? Kind::sso : Kind::process;
        return true;
    }
    // Of the profile that was asked for the environment's token comes first.
    if (roles_.empty() && !environment("AWS_WEB_IDENTITY_TOKEN_FILE").empty()) return false;
    token_file_ = value("web_identity_token_file"), role_arn_ = value("role_arn"), role_session_ = value("role_session_name");
    if (role_session_.empty()) role_session_ = "zcdp";
    if (token_file_.empty() || role_arn_.empty()) return false;
    kind_ = Kind::web_identity;
    return true;
}

void CredentialSource::choose_from_environment() {
    token_file_ = environment("AWS_WEB_IDENTITY_TOKEN_FILE");
    role_arn_ = environment("AWS_ROLE_ARN");
    role_session_ = environment("AWS_ROLE_SESSION_NAME");
    if (role_session_.empty()) role_session_ = "zcdp";
    if (!token_file_.empty() && !role_arn_.empty()) {
        kind_ = Kind::web_identity;
    } else if (has_container()) {
        kind_ = Kind::container;
    }
}

bool CredentialSource::has_container() const {
    return !environment("AWS_CONTAINER_CREDENTIALS_FULL_URI").empty() || !environment("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI").empty();
}

std::string CredentialSource::setting(const std::string& name) const {
    const auto found = profile_.find(name);
    return found == profile_.end() ? std::string() : found->second;
}

std::string CredentialSource::identity() const {
    if (!roles_.empty()) return roles_.back().arn;
    switch (kind_) {
        case Kind::anonymous: return "anonymous";
        case Kind::web_identity: return role_arn_;
        case Kind::process: return "process:" + process_;
        case Kind::sso: return "sso:" + sso_.account_id + "/" + sso_.role_name;
        case Kind::container: return "container:" + environment("AWS_CONTAINER_CREDENTIALS_FULL_URI") +
                                     environment("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
        case Kind::instance: return "instance";
        case Kind::fixed: break;
    }
    const auto present = current_.current();
    return present ? present->access_key : "";
}

Task<Result<Credentials>> CredentialSource::get(net::HttpClient& http, int64_t clock_skew_s) {
    auto once = [this, &http, clock_skew_s] { return fetch(http, clock_skew_s); };  // no coroutine itself; lives in this frame
    co_return co_await current_.get(machine_.clock, clock_skew_s, once);
}

void CredentialSource::expired(const std::string& id) {
    if ((kind_ != Kind::fixed || !roles_.empty()) && kind_ != Kind::anonymous) current_.drop(id);
}

Result<Sts> CredentialSource::sts() const {
    std::string region = environment("AWS_REGION");
    if (region.empty()) region = environment("AWS_DEFAULT_REGION");
    if (region.empty()) region = setting("region");
    if (region.empty()) region = options_.region;
    return sts_of(environment("AWS_ENDPOINT_URL_STS"), region);
}

Task<Result<Credentials>> CredentialSource::fetch(net::HttpClient& http, int64_t clock_skew_s) {
    ZCDP_CO_TRY(Credentials held, co_await fetch_first(http));
    if (roles_.empty()) co_return held;
    ZCDP_CO_TRY(const Sts where, sts());
    for (const Role& role : roles_) {
        ZCDP_CO_TRY(held, co_await assume_role(role, std::move(held), where, machine_.clock.unix_s() + clock_skew_s, http));
    }
    co_return held;
}

Task<Result<Credentials>> CredentialSource::fetch_first(net::HttpClient& http) {
    switch (kind_) {
        case Kind::fixed: co_return keys_;
        case Kind::process: co_return co_await credentials_of_process(process_, process_profile_, options_.timeout_ms);
        case Kind::sso: co_return co_await credentials_of_sso(sso_, machine_, http);
        case Kind::web_identity: co_return co_await fetch_web_identity(http);
        case Kind::container: co_return co_await fetch_container(http);
        default: co_return co_await fetch_instance(http);
    }
}

Result<std::string> CredentialSource::read_token(const std::string& path) const {
    // Kubernetes rotates projected tokens by switching a symlink: the path is opened anew, links and all.
    auto token = read_user_file(machine_.fs, path, 64 << 10);
    if (!token) return system_error(token.error(), "reading the identity token", path);
    while (!token->empty() && (token->back() == '\n' || token->back() == '\r')) token->pop_back();
    return std::move(*token);
}

/// docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
Task<Result<Credentials>> CredentialSource::fetch_web_identity(net::HttpClient& http) {
    ZCDP_CO_TRY(const std::string token, read_token(token_file_));
    ZCDP_CO_TRY(const Sts where, sts());
    const std::string url = where.endpoint.url();
    net::Request request;
    request.method = "POST";
    request.headers = {{"Content-Type", "application/x-www-form-urlencoded"}, {"Accept", "application/xml"}};
    request.body = "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=" + uri_encode(role_arn_, false) +
                   "&RoleSessionName=" + uri_encode(role_session_, false) + "&WebIdentityToken=" + uri_encode(token, false);
    ZCDP_CO_TRY(const std::string answer, co_await ask_token_service(http, url, std::move(request), kFetchTimeoutMs, "check AWS_ROLE_ARN and what the role trusts"));
    co_return said_by(url, parse_sts_answer(answer));
}

Task<Result<Credentials>> CredentialSource::fetch_container(net::HttpClient& http) {
    std::string url = environment("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    if (url.empty()) url = "http://169.254.170.2" + environment("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    ZCDP_CO_TRY(const auto where, split_url(url));
    if (!may_serve_credentials(where.first))
        co_return Error(ErrorKind::denied, "may not serve container credentials: neither loopback nor TLS", url);
    net::Request request;
    std::string token = environment("AWS_CONTAINER_AUTHORIZATION_TOKEN");
    if (const std::string file = environment("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"); !file.empty()) {
        ZCDP_CO_TRY(token, read_token(file));
    }
    if (token.find_first_of("\r\n") != token.npos) co_return Error(ErrorKind::denied, "the authorization token has line breaks");
    if (!token.empty()) request.headers.emplace_back("Authorization", token);
    ZCDP_CO_TRY(const std::string answer, co_await ask_token_service(http, url, std::move(request), kFetchTimeoutMs, ""));
    co_return said_by(url, parse_json_credentials(answer));
}

/// docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html, version 2 only.
Task<Result<Credentials>> CredentialSource::fetch_instance(net::HttpClient& http) {
    if (environment("AWS_EC2_METADATA_DISABLED") == "true") co_return Error(ErrorKind::denied, "no credentials were found", "", kNoneHint);
    std::string url = environment("AWS_EC2_METADATA_SERVICE_ENDPOINT");
    if (url.empty()) url = "http://169.254.169.254";
    if (url.ends_with('/')) url.pop_back();
    net::Request for_token;
    for_token.method = "PUT";
    for_token.headers = {{"X-aws-ec2-metadata-token-ttl-seconds", "21600"}};
    const auto token = co_await ask_token_service(http, url + "/latest/api/token", std::move(for_token), kInstanceTimeoutMs, kNoneHint);
    if (!token) co_return none_found(token.error(), current_.has_given(), kNoneHint);
    if (!is_header_word(*token)) co_return Error(ErrorKind::denied, "the metadata service's token is none", url, kNoneHint);
    const std::string folder = url + "/latest/meta-data/iam/security-credentials/";
    net::Request for_role;
    for_role.headers = {{"X-aws-ec2-metadata-token", *token}};
    const auto role = co_await ask_token_service(http, folder, for_role, kInstanceTimeoutMs, kNoneHint);
    if (!role) co_return none_found(role.error(), current_.has_given(), kNoneHint);
    if (role->empty()) co_return Error(ErrorKind::denied, "no credentials were found: the instance has no role", url, kNoneHint);
    const std::string of_role = folder + uri_encode(role->substr(0, role->find('\n')), false);
    ZCDP_CO_TRY(const std::string answer, co_await ask_token_service(http, of_role, std::move(for_role), kInstanceTimeoutMs, kNoneHint));
    co_return said_by(of_role, parse_json_credentials(answer));
}

}  // namespace zcdp::origin::s3
