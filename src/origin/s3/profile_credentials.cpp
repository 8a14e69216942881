#include "src/origin/s3/profile_credentials.hpp"

#include <openssl/evp.h>
#include <boost/json/object.hpp>

#include <algorithm>

#include "src/origin/remote/answers.hpp"
#include "src/origin/remote/token.hpp"
#include "src/origin/s3/credentials.hpp"
#include "zcdp/base/helper_program.hpp"

namespace zcdp::origin::s3 {
namespace {

constexpr size_t kCacheBytesMax = 1 << 20;
constexpr size_t kProcessBytesMax = 64 << 10;
constexpr uint64_t kProcessTimeoutMs = 60'000;
constexpr uint64_t kFetchTimeoutMs = 10'000;
constexpr const char* kLogin = "run: aws sso login";

std::string setting(const Settings& profile, const char* name) {
    const auto found = profile.find(name);
    return found == profile.end() ? "" : found->second;
}

/// The cache's files are called by the SHA-1 of the session's name or URL.
std::string sha1_hex(const std::string& text) {
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    if (EVP_Digest(text.data(), text.size(), bytes, &length, EVP_sha1(), nullptr) != 1) return "";
    return to_hex({bytes, length});
}

}  // namespace

Task<Result<Credentials>> credentials_of_process(std::string command, std::string profile, uint64_t timeout_ms) {
    const std::string name = "credential_process of the profile " + profile;
    ZCDP_CO_TRY(const std::string printed,
                co_await run_helper_program({"/bin/sh", "-c", std::move(command)}, name,
                                            {kProcessBytesMax, std::min(kProcessTimeoutMs, timeout_ms)}));
    co_return said_by(name, parse_json_credentials(printed));
}

Result<std::optional<Sso>> read_sso(const AwsFiles& files, const std::string& name) {
    const Settings profile = files.profile(name).settings;
    const std::string account = without_comment(setting(profile, "sso_account_id")),
                      role = without_comment(setting(profile, "sso_role_name")),
                      session = setting(profile, "sso_session");
    if (account.empty() && role.empty()) return std::optional<Sso>();
    const Section* of_session = session.empty() ? nullptr : files.sso_session(session);
    if (!session.empty() && !of_session)
        return Error(ErrorKind::usage, "names a section [sso-session " + printable(session) + "] that there is not",
                     "profile " + name);
    const Settings& from = of_session ? of_session->settings : profile;
    Sso sso{session.empty() ? without_comment(setting(profile, "sso_start_url")) : session,
            without_comment(setting(from, "sso_region")), account, role};
    for (const auto& [missing, what] : {std::pair{sso.cache_name.empty(), "sso_start_url"},
                                        {sso.region.empty(), "sso_region"},
                                        {account.empty(), "sso_account_id"},
                                        {role.empty(), "sso_role_name"}})
        if (missing)
            return Error(ErrorKind::usage, std::string("is for SSO, but has no ") + what, "profile " + name,
                         "run: aws configure sso");
    return std::optional(std::move(sso));
}

Task<Result<Credentials>> credentials_of_sso(Sso sso, std::string portal, Machine machine, net::HttpClient& http) {
    const std::string path = machine.environment("HOME") + "/.aws/sso/cache/" + sha1_hex(sso.cache_name) + ".json";
    const auto cached = read_user_file(machine.fs, path, kCacheBytesMax);
    if (!cached) co_return Error(ErrorKind::denied, "nobody has logged in to AWS SSO here", path, kLogin);
    ZCDP_CO_TRY(const auto token, parse_json_object(*cached, "the cached SSO token", ErrorKind::denied));
    if (parse_iso8601(text_of(token, "expiresAt")) <= machine.clock.unix_s())
        co_return Error(ErrorKind::denied, "the login to AWS SSO has ended", path, kLogin);
    std::string host = std::move(portal);
    if (host.empty()) host = "https://portal.sso." + sso.region + ".amazonaws.com";
    net::Request request;
    request.headers = {{"x-amz-sso_bearer_token", text_of(token, "accessToken")}};
    const std::string url = host + "/federation/credentials?role_name=" + uri_encode(sso.role_name, false) +
                            "&account_id=" + uri_encode(sso.account_id, false);
    ZCDP_CO_TRY(const std::string answer,
                co_await ask_token_service(http, url, std::move(request), kFetchTimeoutMs, kLogin));
    co_return said_by(host, parse_sso_answer(answer));
}

Result<Credentials> parse_sso_answer(std::string_view text) {
    ZCDP_TRY(const auto answer, parse_json_object(text, "SSO's answer", ErrorKind::denied));
    const boost::json::value* role = answer.if_contains("roleCredentials");
    if (!role || !role->is_object()) return Error(ErrorKind::denied, "SSO's answer has no roleCredentials");
    const boost::json::object& object = role->get_object();
    Credentials out{text_of(object, "accessKeyId"), text_of(object, "secretAccessKey"), text_of(object, "sessionToken"),
                    0};
    uint64_t ends_ms = 0;
    if (!is_header_word(out.access_key) || out.secret_key.empty() || !number_of(object, "expiration", ends_ms) ||
        (!out.session_token.empty() && !is_header_word(out.session_token)))
        return Error(ErrorKind::denied, "SSO's answer has no credentials");
    out.expires_unix_s = static_cast<int64_t>(ends_ms / 1000);
    return out;
}

}  // namespace zcdp::origin::s3
