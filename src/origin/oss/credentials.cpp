#include "src/origin/oss/credentials.hpp"

#include <boost/json/object.hpp>

#include "src/origin/remote/given.hpp"
#include "src/origin/remote/token.hpp"
#include "zcdp/base/percent.hpp"

namespace zcdp::origin::oss {
namespace {

constexpr uint64_t kFetchTimeoutMs = 10'000, kMetadataTimeoutMs = 3'000;
constexpr const char* kHint = "set OSS_ACCESS_KEY_ID and OSS_ACCESS_KEY_SECRET, or use --anonymous";
constexpr const char* kMetadata = "http://100.100.100.200/latest/";

}  // namespace

Result<Credentials> parse_credentials(std::string_view text) {
    ZCDP_TRY(const boost::json::object answer,
             parse_json_object(text, "the answer with credentials", ErrorKind::denied));
    const boost::json::value* inner = answer.if_contains("Credentials");
    const boost::json::object& object = inner && inner->is_object() ? inner->get_object() : answer;
    Credentials out{text_of(object, "AccessKeyId"), text_of(object, "AccessKeySecret"),
                    text_of(object, "SecurityToken"), parse_iso8601(text_of(object, "Expiration"))};
    if (!is_header_word(out.access_key) || out.secret_key.empty() || !is_header_word(out.security_token) ||
        out.expires_unix_s <= 0)
        return Error(ErrorKind::denied, "the answer has no credentials");
    return out;
}

CredentialSource::CredentialSource(const OriginOptions& options, Machine machine)
    : options_(options), machine_(machine), current_(machine.log) {
    if (options.anonymous) kind_ = Kind::anonymous;
}

Result<> CredentialSource::choose() {
    if (kind_ == Kind::anonymous) return {};
    ZCDP_TRY(bool given, choose_keys("OSS_ACCESS_KEY_ID", "OSS_ACCESS_KEY_SECRET", "OSS_SESSION_TOKEN"));
    if (!given && options_.credentials.empty()) {
        ZCDP_TRY(given, choose_keys("ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
                                    "ALIBABA_CLOUD_SECURITY_TOKEN"));
    }
    if (given) return {};
    if (!environment("ALIBABA_CLOUD_OIDC_TOKEN_FILE").empty()) {
        for (const char* needed : {"ALIBABA_CLOUD_ROLE_ARN", "ALIBABA_CLOUD_OIDC_PROVIDER_ARN"})
            if (environment(needed).empty())
                return Error(ErrorKind::usage, std::string("is set without ") + needed,
                             "ALIBABA_CLOUD_OIDC_TOKEN_FILE");
        kind_ = Kind::oidc;
        return {};
    }
    // What is named is used or refused: the role of the instance may be somebody else's.
    for (const char* other : {"ALIBABA_CLOUD_CREDENTIALS_URI", "ALIBABA_CLOUD_PROFILE"})
        if (!environment(other).empty())
            return Error(ErrorKind::usage, "names credentials of a kind that zcdp does not read", other, kHint);
    return {};
}

Result<bool> CredentialSource::choose_keys(const char* id, const char* secret, const char* token) {
    Credentials keys;
    ZCDP_TRY(keys.access_key, credential(options_, machine_, id));
    ZCDP_TRY(keys.secret_key, credential(options_, machine_, secret));
    ZCDP_TRY(keys.security_token, credential(options_, machine_, token));
    if (keys.access_key.empty() && keys.secret_key.empty()) return false;
    if (keys.access_key.empty() || keys.secret_key.empty())
        return Error(ErrorKind::usage, std::string("is set without ") + (keys.secret_key.empty() ? secret : id),
                     keys.secret_key.empty() ? id : secret);
    kind_ = Kind::fixed;
    current_.set(std::move(keys));
    return true;
}

std::string CredentialSource::identity() const {
    switch (kind_) {
        case Kind::anonymous: return "anonymous";
        case Kind::oidc: return environment("ALIBABA_CLOUD_ROLE_ARN");
        case Kind::instance: return "instance";
        case Kind::fixed: break;
    }
    const auto present = current_.current();
    return present ? present->access_key : "";
}

Task<Result<Credentials>> CredentialSource::get(net::HttpClient& http, int64_t clock_skew_s) {
    auto once = [this, &http] { return fetch(http); };  // no coroutine itself; lives in this frame
    co_return co_await current_.get(machine_.clock, clock_skew_s, once);
}

void CredentialSource::expired(const std::string& id) {
    if (kind_ == Kind::oidc || kind_ == Kind::instance) current_.drop(id);
}

Task<Result<Credentials>> CredentialSource::fetch(net::HttpClient& http) {
    if (kind_ == Kind::oidc) co_return co_await fetch_oidc(http);
    co_return co_await fetch_instance(http);
}

/// alibabacloud.com/help/en/ram/developer-reference/api-sts-2015-04-01-assumerolewithoidc
Task<Result<Credentials>> CredentialSource::fetch_oidc(net::HttpClient& http) {
    ZCDP_CO_TRY(const std::string token, read_secret_file(machine_.fs, environment("ALIBABA_CLOUD_OIDC_TOKEN_FILE"),
                                                          "ALIBABA_CLOUD_OIDC_TOKEN_FILE"));
    std::string host = environment("ALIBABA_CLOUD_STS_ENDPOINT");
    if (host.empty()) host = "https://sts.aliyuncs.com";
    if (host.find("://") == host.npos) host = "https://" + host;
    net::Request request;
    request.method = "POST";
    request.headers = {{"Content-Type", "application/x-www-form-urlencoded"}, {"Accept", "application/json"}};
    request.body = uri_encode_pairs({{"Action", "AssumeRoleWithOIDC"},
                                     {"Format", "JSON"},
                                     {"Version", "2015-04-01"},
                                     {"RoleArn", environment("ALIBABA_CLOUD_ROLE_ARN")},
                                     {"OIDCProviderArn", environment("ALIBABA_CLOUD_OIDC_PROVIDER_ARN")},
                                     {"OIDCToken", token},
                                     {"RoleSessionName", "zcdp"}});
    ZCDP_CO_TRY(const std::string answer, co_await ask_token_service(http, host + "/", std::move(request),
                                                                     kFetchTimeoutMs, "check ALIBABA_CLOUD_ROLE_ARN"));
    co_return said_by(host, parse_credentials(answer));
}

/// alibabacloud.com/help/en/ecs/user-guide/view-instance-metadata: the hardened mode asks for a token first.
Task<Result<Credentials>> CredentialSource::fetch_instance(net::HttpClient& http) {
    net::Request for_token;
    for_token.method = "PUT";
    for_token.headers = {{"X-aliyun-ecs-metadata-token-ttl-seconds", "21600"}};
    auto token = co_await ask_token_service(http, std::string(kMetadata) + "api/token", std::move(for_token),
                                            kMetadataTimeoutMs, kHint);
    if (!token) co_return none_found(token.error(), current_.has_given(), kHint);
    if (!is_header_word(*token))
        co_return Error(ErrorKind::denied, "the metadata service's token is none", kMetadata, kHint);
    net::Request request;
    request.headers = {{"X-aliyun-ecs-metadata-token", *token}};
    const std::string roles = std::string(kMetadata) + "meta-data/ram/security-credentials/";
    auto role = co_await ask_token_service(http, roles, request, kMetadataTimeoutMs, kHint);
    if (!role) co_return none_found(role.error(), current_.has_given(), kHint);
    const std::string url = roles + uri_encode(role->substr(0, role->find('\n')), false);
    ZCDP_CO_TRY(const std::string answer,
                co_await ask_token_service(http, url, std::move(request), kMetadataTimeoutMs, kHint));
    co_return said_by(url, parse_credentials(answer));
}

}  // namespace zcdp::origin::oss
