#include "src/origin/azure/credentials.hpp"

#include <algorithm>

#include "src/origin/remote/answers.hpp"
#include "src/origin/remote/given.hpp"
#include "zcdp/base/ascii.hpp"
#include "zcdp/base/base64.hpp"
#include "zcdp/base/digest.hpp"
#include "zcdp/base/percent.hpp"

namespace zcdp::origin::azure {
namespace {

constexpr uint64_t kMetadataTimeoutMs = 3'000;
constexpr const char* kHint = "check AZURE_TENANT_ID, AZURE_CLIENT_ID and the identity's federation";
constexpr const char* kNoneHint = "set AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN, or use --anonymous";
constexpr const char* kScope = "https://storage.azure.com/.default";

std::string header_of(const std::vector<net::Header>& headers, std::string_view name) {
    for (const auto& [have, value] : headers)
        if (equal_ignoring_case(have, name)) return value;
    return "";
}

}  // namespace

std::string string_to_sign(const SigningInput& input) {
    std::string text = input.method + "\n";
    // Content-Length is empty for a request without a body, Date because x-ms-date is there.
    for (const char* name : {"Content-Encoding", "Content-Language", "", "Content-MD5", "Content-Type", "",
                             "If-Modified-Since", "If-Match", "If-None-Match", "If-Unmodified-Since", "Range"})
        text += (*name ? header_of(input.headers, name) : "") + "\n";
    std::vector<net::Header> own;
    for (const auto& [name, value] : input.headers)
        if (std::string key = to_lower(name); key.starts_with("x-ms-")) own.emplace_back(std::move(key), value);
    std::sort(own.begin(), own.end());
    for (const auto& [name, value] : own) text += name + ":" + value + "\n";
    text += "/" + input.account + input.path;
    for (const auto& [name, value] : input.query) text += "\n" + to_lower(name) + ":" + value;
    return text;
}

std::string shared_key_authorization(const SigningInput& input, std::string_view key) {
    const auto mac = hmac_sha256({reinterpret_cast<const uint8_t*>(key.data()), key.size()}, string_to_sign(input));
    return "SharedKey " + input.account + ":" + to_base64({reinterpret_cast<const char*>(mac.data()), mac.size()});
}

std::string connection_string_field(std::string_view text, std::string_view name) {
    for (size_t begin = 0; begin < text.size();) {
        const size_t end = std::min(text.find(';', begin), text.size());
        const std::string_view field = text.substr(begin, end - begin);
        const size_t equals = field.find('=');  // a key ends in '=', too: the first one counts
        if (equals != field.npos && equal_ignoring_case(without_space_around(field.substr(0, equals)), name))
            return std::string(without_space_around(field.substr(equals + 1)));
        begin = end + 1;
    }
    return "";
}

std::string blob_endpoint(std::string_view text, const std::string& account) {
    const std::string url = connection_string_field(text, "BlobEndpoint"),
                      suffix = connection_string_field(text, "EndpointSuffix");
    if (!url.empty() || suffix.empty()) return url;
    const std::string scheme = connection_string_field(text, "DefaultEndpointsProtocol");
    return (scheme.empty() ? "https" : scheme) + "://" + account + ".blob." + suffix;
}

CredentialSource::CredentialSource(const OriginOptions& options, Machine machine)
    : options_(options), machine_(machine), token_(machine.log) {}

Result<> CredentialSource::choose() {
    if (options_.anonymous) {
        kind_ = Kind::anonymous;
        return {};
    }
    ZCDP_TRY(const bool given, choose_key());
    return given ? Result<>() : choose_identity();
}

Result<bool> CredentialSource::choose_key() {
    constexpr const char* kConnection = "AZURE_STORAGE_CONNECTION_STRING";
    ZCDP_TRY(const std::string connection, credential(options_, machine_, kConnection));
    std::string key = connection_string_field(connection, "AccountKey"), sas;
    if (key.empty()) sas = connection_string_field(connection, "SharedAccessSignature");
    const bool says_where = !connection_string_field(connection, "BlobEndpoint").empty() ||
                            !connection_string_field(connection, "EndpointSuffix").empty();
    if (!connection.empty() && key.empty() && sas.empty() && !says_where)
        return Error(ErrorKind::usage, "has neither AccountKey nor SharedAccessSignature", kConnection,
                     "copy it from the storage account's access keys");
    if (key.empty() && sas.empty()) {
        ZCDP_TRY(key, credential(options_, machine_, "AZURE_STORAGE_KEY"));
    }
    if (key.empty() && sas.empty()) {
        ZCDP_TRY(sas, credential(options_, machine_, "AZURE_STORAGE_SAS_TOKEN"));
    }
    if (!key.empty()) {
        auto raw = from_base64(key);
        if (!raw || raw->empty())
            return Error(ErrorKind::usage, "the storage account's key is no base64", "",
                         "check AZURE_STORAGE_KEY or AZURE_STORAGE_CONNECTION_STRING");
        kind_ = Kind::shared_key, key_ = std::move(*raw);
        return true;
    }
    if (sas.empty()) return false;
    kind_ = Kind::sas, sas_ = sas.starts_with('?') ? sas.substr(1) : sas;
    if (sas_.find(' ') != std::string::npos)
        return Error(ErrorKind::usage, "the SAS token is no query string", "", "check AZURE_STORAGE_SAS_TOKEN");
    return true;
}

/// What the environment names is used or refused: the machine's identity may be somebody else's.
Result<> CredentialSource::choose_identity() {
    const auto value = [&](const char* name) { return clean_secret(environment(name), name); };
    ZCDP_TRY(tenant_, value("AZURE_TENANT_ID"));
    ZCDP_TRY(client_, value("AZURE_CLIENT_ID"));
    ZCDP_TRY(token_file_, value("AZURE_FEDERATED_TOKEN_FILE"));
    ZCDP_TRY(client_secret_, value("AZURE_CLIENT_SECRET"));
    const char* named = !token_file_.empty()      ? "AZURE_FEDERATED_TOKEN_FILE"
                        : !client_secret_.empty() ? "AZURE_CLIENT_SECRET"
                                                  : nullptr;
    if (named && (tenant_.empty() || client_.empty()))
        return Error(ErrorKind::usage,
                     std::string("is set without ") + (tenant_.empty() ? "AZURE_TENANT_ID" : "AZURE_CLIENT_ID"), named);
    if (named) {
        kind_ = token_file_.empty() ? Kind::secret : Kind::federated;
        return {};
    }
    for (const char* other : {"AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_USERNAME"})
        if (!environment(other).empty())
            return Error(ErrorKind::usage, "names an identity of a kind that zcdp does not read", other, kNoneHint);
    return {};
}

std::string CredentialSource::identity() const {
    switch (kind_) {
        case Kind::anonymous: return "anonymous";
        case Kind::shared_key: return "key:" + to_hex(Sha256::of(key_)).substr(0, 16);
        case Kind::sas: return "sas:" + to_hex(Sha256::of(sas_)).substr(0, 16);
        case Kind::federated:
        case Kind::secret: return "client:" + client_;
        case Kind::managed: break;
    }
    return "managed:" + environment("AZURE_CLIENT_ID");
}

Task<Result<Token>> CredentialSource::get(net::HttpClient& http, int64_t clock_skew_s) {
    auto once = [this, &http] { return fetch(http); };  // no coroutine itself; lives in this frame
    co_return co_await token_.get(machine_.clock, clock_skew_s, once);
}

/// learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
Task<Result<Token>> CredentialSource::fetch(net::HttpClient& http) {
    if (kind_ == Kind::managed) co_return co_await from_metadata(http);
    std::string authority = environment("AZURE_AUTHORITY_HOST");
    if (authority.empty()) authority = "https://login.microsoftonline.com/";
    if (authority.back() != '/') authority += '/';
    std::vector<std::pair<std::string, std::string>> form{
        {"client_id", client_}, {"grant_type", "client_credentials"}, {"scope", kScope}};
    if (kind_ == Kind::federated) {
        // Kubernetes rotates projected tokens by switching a symlink: the path is opened anew each time.
        ZCDP_CO_TRY(const std::string assertion,
                    read_secret_file(machine_.fs, token_file_, "AZURE_FEDERATED_TOKEN_FILE"));
        form.emplace_back("client_assertion", assertion);
        form.emplace_back("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    } else {
        form.emplace_back("client_secret", client_secret_);
    }
    co_return co_await exchange_form(http, authority + uri_encode(tenant_, false) + "/oauth2/v2.0/token",
                                     uri_encode_pairs(form), machine_.clock.unix_s(), kHint);
}

/// learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token; App Service and Arc name
/// another address and want a header of their own.
Task<Result<Token>> CredentialSource::from_metadata(net::HttpClient& http) {
    net::Request request;
    std::string url = environment("IDENTITY_ENDPOINT");
    if (url.empty()) {
        url = environment("AZURE_POD_IDENTITY_AUTHORITY_HOST");  // Azure's own libraries look there, too
        if (url.empty()) url = "http://169.254.169.254";
        url += "/metadata/identity/oauth2/token?api-version=2018-02-01";
        request.headers = {{"Metadata", "true"}};
    } else {
        url += "?api-version=2019-08-01";
        request.headers = {{"X-IDENTITY-HEADER", environment("IDENTITY_HEADER")}};
    }
    url += "&resource=" + uri_encode("https://storage.azure.com/", false);
    if (const std::string client = environment("AZURE_CLIENT_ID"); !client.empty())
        url += "&client_id=" + uri_encode(client, false);
    const auto answer = co_await ask_token_service(http, url, std::move(request), kMetadataTimeoutMs, kNoneHint);
    if (!answer) co_return none_found(answer.error(), token_.has_given(), kNoneHint);
    co_return said_by(url, parse_token(*answer, machine_.clock.unix_s()));
}

}  // namespace zcdp::origin::azure
