#include "src/origin/gcs/credentials.hpp"

#include <openssl/evp.h>
#include <openssl/pem.h>

#include <boost/json.hpp>

#include "src/origin/remote/answers.hpp"
#include "src/origin/remote/given.hpp"
#include "zcdp/base/base64.hpp"
#include "zcdp/base/percent.hpp"

namespace zcdp::origin::gcs {
namespace {

namespace json = boost::json;

constexpr size_t kFileBytesMax = 1 << 20;
constexpr uint64_t kFetchTimeoutMs = 10'000, kMetadataTimeoutMs = 3'000;
constexpr int64_t kTokenS = 3600;
constexpr const char* kHint = "check GOOGLE_APPLICATION_CREDENTIALS";
constexpr const char* kNoneHint =
    "set GOOGLE_APPLICATION_CREDENTIALS, run gcloud auth application-default login, or use --anonymous";
constexpr const char* kScope = "https://www.googleapis.com/auth/devstorage.read_only";

struct Free {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
    void operator()(BIO* bio) const { BIO_free(bio); }
};

/// RSASSA-PKCS1-v1_5 with SHA-256, "RS256" of RFC 7518.
Result<std::string> sign_rs256(const std::string& private_key_pem, const std::string& text) {
    const std::unique_ptr<BIO, Free> bio(
        BIO_new_mem_buf(private_key_pem.data(), static_cast<int>(private_key_pem.size())));
    const std::unique_ptr<EVP_PKEY, Free> key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
    const std::unique_ptr<EVP_MD_CTX, Free> context(EVP_MD_CTX_new());
    size_t size = 0;
    if (!key || EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_RSA ||
        EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key.get()) != 1 ||
        EVP_DigestSign(context.get(), nullptr, &size, reinterpret_cast<const unsigned char*>(text.data()),
                       text.size()) != 1)
        return Error(ErrorKind::usage, "the service account's private_key is no RSA key in PEM");
    std::string out(size, '\0');
    if (EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(out.data()), &size,
                       reinterpret_cast<const unsigned char*>(text.data()), text.size()) != 1)
        return Error(ErrorKind::failed, "signing with the service account's key failed");
    out.resize(size);
    return out;
}

Result<> read_external(const json::object& object, Account& account) {
    account.audience = text_of(object, "audience");
    account.subject_token_type = text_of(object, "subject_token_type");
    account.token_url = text_of(object, "token_url");
    account.impersonation_url = text_of(object, "service_account_impersonation_url");
    const json::value* source = object.if_contains("credential_source");
    if (!source || !source->is_object())
        return Error(ErrorKind::usage, "the external account has no credential_source");
    account.subject_file = text_of(source->get_object(), "file");
    account.subject_url = text_of(source->get_object(), "url");
    if (const json::value* headers = source->get_object().if_contains("headers"); headers && headers->is_object())
        for (const auto& [name, value] : headers->get_object())
            if (value.is_string())
                account.subject_headers.emplace_back(std::string(name), std::string(value.get_string()));
    if (const json::value* format = source->get_object().if_contains("format");
        format && format->is_object() && text_of(format->get_object(), "type") == "json")
        account.subject_field = text_of(format->get_object(), "subject_token_field_name");
    if (account.subject_file.empty() && account.subject_url.empty())
        return Error(
            ErrorKind::usage,
            "the external account's credential_source is neither a file nor a url, which is all that zcdp reads");
    return {};
}

}  // namespace

// cloud.google.com/resource-manager/docs/creating-managing-projects; older ones have their domain before a colon.
bool is_project(std::string_view name) {
    return !name.empty() && name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-.:") == name.npos;
}

Result<Account> parse_account(std::string_view text) {
    ZCDP_TRY(const json::object object, parse_json_object(text, "the credentials file", ErrorKind::usage));
    Account out;
    const std::string type = text_of(object, "type");
    out.token_url = text_of(object, "token_uri");
    if (out.token_url.empty()) out.token_url = "https://oauth2.googleapis.com/token";
    if (type == "service_account") {
        out.type = Account::Type::service_account;
        out.email = text_of(object, "client_email"), out.private_key_pem = text_of(object, "private_key"),
        out.private_key_id = text_of(object, "private_key_id");
        if (out.email.empty() || out.private_key_pem.empty())
            return Error(ErrorKind::usage, "the service account has no client_email or no private_key");
    } else if (type == "authorized_user") {
        out.type = Account::Type::authorized_user;
        out.client_id = text_of(object, "client_id"), out.client_secret = text_of(object, "client_secret"),
        out.refresh_token = text_of(object, "refresh_token");
        if (out.client_id.empty() || out.refresh_token.empty())
            return Error(ErrorKind::usage, "the user's credentials have no client_id or no refresh_token");
    } else if (type == "external_account") {
        out.type = Account::Type::external_account;
        ZCDP_CHECK(read_external(object, out));
        if (out.audience.empty() || out.token_url.empty())
            return Error(ErrorKind::usage, "the external account has no audience or no token_url");
    } else {
        return Error(ErrorKind::usage, "credentials of type \"" + printable(type) + "\" are not known", "",
                     "service_account, authorized_user or external_account");
    }
    out.quota_project = text_of(object, "quota_project_id");
    if (!out.quota_project.empty() && !is_project(out.quota_project))
        return Error(ErrorKind::usage,
                     "the credentials' quota_project_id is no project: " + printable(out.quota_project));
    return out;
}

Result<std::string> service_account_jwt(const Account& account, int64_t now) {
    json::object header{{"alg", "RS256"}, {"typ", "JWT"}};
    if (!account.private_key_id.empty()) header["kid"] = account.private_key_id;
    const json::object claims{
        {"iss", account.email}, {"scope", kScope}, {"aud", account.token_url}, {"iat", now}, {"exp", now + kTokenS}};
    const std::string text = to_base64url(json::serialize(header)) + "." + to_base64url(json::serialize(claims));
    ZCDP_TRY(const std::string signature, sign_rs256(account.private_key_pem, text));
    return text + "." + to_base64url(signature);
}

TokenSource::TokenSource(const OriginOptions& options, Machine machine)
    : options_(options), machine_(machine), token_(machine.log) {}

Result<> TokenSource::choose() {
    if (options_.anonymous) {
        kind_ = Kind::anonymous;
        return {};
    }
    std::string from = "GOOGLE_APPLICATION_CREDENTIALS_JSON";
    ZCDP_TRY(std::string text, credential(options_, machine_, from));
    if (text.empty() && options_.credentials.empty()) {
        const std::string named(without_space_around(machine_.environment("GOOGLE_APPLICATION_CREDENTIALS")));
        std::string gcloud = machine_.environment("CLOUDSDK_CONFIG");  // cloud.google.com/sdk/docs/configurations
        if (gcloud.empty()) gcloud = machine_.environment("HOME") + "/.config/gcloud";
        const std::string path = named.empty() ? gcloud + "/application_default_credentials.json" : named;
        const auto content = read_user_file(machine_.fs, path, kFileBytesMax);
        if (!content && !named.empty())
            return system_error(content.error(), "reading GOOGLE_APPLICATION_CREDENTIALS", named);
        if (content) text = without_space_around(*content);
        if (!named.empty() && text.empty())
            return Error(ErrorKind::usage, "is an empty file", "GOOGLE_APPLICATION_CREDENTIALS " + named);
        from = path;
    }
    if (!text.empty()) {  // or else the metadata server is asked when a token is needed
        auto account = parse_account(text);
        if (!account) return std::move(account).error().about(from);
        account_ = std::move(*account);
        kind_ = Kind::account;
    }
    constexpr const char* kProject =
        "GOOGLE_CLOUD_QUOTA_PROJECT";  // Google's client libraries take it for the file's, too
    if (const std::string project = options_.credentials.empty() ? machine_.environment(kProject) : "";
        !project.empty()) {
        if (!is_project(project))
            return Error(ErrorKind::usage, std::string(kProject) + " is no project: " + printable(project));
        account_.quota_project = project;
    }
    return {};
}

std::string TokenSource::identity() const {
    if (kind_ == Kind::anonymous) return "anonymous";
    if (kind_ == Kind::metadata) return "metadata";
    switch (account_.type) {
        case Account::Type::service_account: return account_.email;
        case Account::Type::authorized_user: return "user:" + account_.client_id;
        default: return account_.impersonation_url.empty() ? account_.audience : account_.impersonation_url;
    }
}

void TokenSource::expired(const std::string& bearer) { token_.drop(bearer); }

Task<Result<Token>> TokenSource::get(net::HttpClient& http, int64_t clock_skew_s) {
    if (kind_ == Kind::anonymous) co_return Token();
    auto once = [this, &http] { return fetch(http); };  // no coroutine itself; lives in this frame
    co_return co_await token_.get(machine_.clock, clock_skew_s, once);
}

Task<Result<Token>> TokenSource::exchange(net::HttpClient& http, std::string url, std::string form) {
    return exchange_form(http, std::move(url), std::move(form), machine_.clock.unix_s(), kHint);
}

Task<Result<Token>> TokenSource::fetch(net::HttpClient& http) {
    if (kind_ == Kind::metadata) co_return co_await from_metadata(http);
    if (account_.type == Account::Type::external_account) co_return co_await external(http);
    std::string form;
    if (account_.type == Account::Type::service_account) {
        ZCDP_CO_TRY(const std::string jwt, service_account_jwt(account_, machine_.clock.unix_s()));
        form = uri_encode_pairs({{"grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"}, {"assertion", jwt}});
    } else {
        form = uri_encode_pairs({{"grant_type", "refresh_token"},
                                 {"client_id", account_.client_id},
                                 {"client_secret", account_.client_secret},
                                 {"refresh_token", account_.refresh_token}});
    }
    co_return co_await exchange(http, account_.token_url, std::move(form));
}

/// The token of the other identity provider: in a file, which rotates, or behind a URL.
Task<Result<std::string>> TokenSource::subject_token(net::HttpClient& http) {
    std::string text;
    if (!account_.subject_file.empty()) {
        auto content = read_user_file(machine_.fs, account_.subject_file, kFileBytesMax);
        if (!content) co_return system_error(content.error(), "reading the identity token", account_.subject_file);
        text = std::move(*content);
    } else {
        net::Request request;
        request.headers = account_.subject_headers;
        ZCDP_CO_TRY(text,
                    co_await ask_token_service(http, account_.subject_url, std::move(request), kFetchTimeoutMs, kHint));
    }
    if (!account_.subject_field.empty()) {
        ZCDP_CO_TRY(const json::object object,
                    said_by(account_.subject_file + account_.subject_url,
                            parse_json_object(text, "the identity token's file", ErrorKind::denied)));
        text = text_of(object, account_.subject_field);
    }
    ZCDP_CO_TRY(text, clean_secret(text, "the identity token of " + account_.subject_file + account_.subject_url));
    if (text.empty())
        co_return Error(ErrorKind::denied, "the identity token is empty", account_.subject_file + account_.subject_url);
    co_return text;
}

/// cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token, then impersonation where the file says so.
Task<Result<Token>> TokenSource::external(net::HttpClient& http) {
    ZCDP_CO_TRY(const std::string subject, co_await subject_token(http));
    const std::string scope =
        account_.impersonation_url.empty() ? kScope : "https://www.googleapis.com/auth/cloud-platform";
    const std::string form =
        uri_encode_pairs({{"grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"},
                          {"requested_token_type", "urn:ietf:params:oauth:token-type:access_token"},
                          {"audience", account_.audience},
                          {"scope", scope},
                          {"subject_token_type", account_.subject_token_type},
                          {"subject_token", subject}});
    ZCDP_CO_TRY(Token federated, co_await exchange(http, account_.token_url, form));
    if (account_.impersonation_url.empty()) co_return federated;
    net::Request request;
    request.method = "POST";
    request.headers = {{"Content-Type", "application/json"}, {"Authorization", "Bearer " + federated.bearer}};
    request.body = json::serialize(json::object{{"scope", json::array{kScope}}});
    ZCDP_CO_TRY(const std::string answer, co_await ask_token_service(http, account_.impersonation_url,
                                                                     std::move(request), kFetchTimeoutMs, kHint));
    co_return said_by(account_.impersonation_url, parse_token(answer, machine_.clock.unix_s()));
}

/// cloud.google.com/compute/docs/access/authenticate-workloads#applications
Task<Result<Token>> TokenSource::from_metadata(net::HttpClient& http) {
    std::string host = machine_.environment("GCE_METADATA_HOST");
    if (host.empty()) host = "169.254.169.254";
    net::Request request;
    request.headers = {{"Metadata-Flavor", "Google"}};
    const std::string url = "http://" + host + "/computeMetadata/v1/instance/service-accounts/default/token";
    const auto answer = co_await ask_token_service(http, url, std::move(request), kMetadataTimeoutMs, kNoneHint);
    if (!answer) co_return none_found(answer.error(), token_.has_given(), kNoneHint);
    co_return said_by(url, parse_token(*answer, machine_.clock.unix_s()));
}

}  // namespace zcdp::origin::gcs
