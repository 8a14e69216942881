#include "src/origin/azure/azure_protocol.hpp"

#include "src/origin/azure/answers.hpp"
#include "src/origin/remote/answers.hpp"
#include "zcdp/base/digest.hpp"

namespace zcdp::origin::azure {
namespace {

constexpr int64_t kClockOffS = 300;  ///< less cannot be why a request is refused
constexpr const char* kVersion = "2021-12-02";
constexpr const char* kSumHeader = "x-ms-range-get-content-crc64";
/// learn.microsoft.com/rest/api/storageservices/get-blob, of that header: 4 MiB at most, and only with a Range.
constexpr uint64_t kCheckedRangeBytes = 4 << 20;
static_assert(kChunkBytes % kCheckedRangeBytes == 0);
constexpr const char* kBlobHost = ".blob.core.windows.net";

class AzureProtocol final : public Protocol {
  public:
    explicit AzureProtocol(std::shared_ptr<AzureContainer> shared) : shared_(std::move(shared)) {}

    OriginIdentity identity() const override {
        return {shared_->endpoint.url(), shared_->account + "/" + shared_->container, shared_->prefix(),
                shared_->credentials.identity()};
    }
    std::string name_of(const ObjectKey& key) const override {
        return "az://" + shared_->account + "/" + shared_->container + "/" + key.str();
    }

    Task<Result<Prepared>> prepare(const Call& call, net::HttpClient& credentials_http) override;

    RetryDecision classify(Call& call, const Prepared& sent, const net::Response& response, std::string_view body,
                           const std::string& name, Tried& tried) override {
        const ErrorAnswer answer = parse_error(response.status(), response.header("x-ms-error-code"), body);
        RetryDecision decision{action_of(answer), error_of(answer, name)};
        if (is_unknown_feature(answer) && without_sum(call)) decision.action = RetryDecision::Action::at_once;
        if (answer.code == "AuthenticationFailed" && clock_is_off(response) && correct_clock(*shared_, response, tried))
            decision.action = RetryDecision::Action::at_once;
        const bool refused =
            answer.status == 401 || answer.code == "AuthenticationFailed" || answer.code == "InvalidAuthenticationInfo";
        if (refused && !sent.credential.empty() && tried.refresh_again()) {
            shared_->credentials.expired(sent.credential);
            decision.action = RetryDecision::Action::at_once;
        }
        return decision;
    }

    Call head_call(const ObjectKey& key) override { return {"HEAD", key, {}, {}, 0}; }
    /// A folder of a hierarchical namespace, or of Hadoop's drivers, answers as an empty blob does.
    Result<ObjectInfo> info_of(const net::Response& answer, std::string_view, const ObjectKey& key) override {
        const bool marker = answer.header("x-ms-meta-hdi_isfolder") == "true" && answer.body_bytes().value_or(0) == 0;
        if (answer.header("x-ms-resource-type") == "directory" || marker)
            return Error(ErrorKind::not_found, "is a folder, not a blob", name_of(key));
        return ObjectInfo{object_bytes_of(answer).value_or(0), tag_of(answer), md5_of(answer.header("content-md5"))};
    }
    Call read_call(const ObjectKey& key, const ReadSpec& spec, bool) override {
        Call call{"GET", key, {}, {}, 0};
        if (!spec.tag.empty()) call.headers.emplace_back("If-Match", "\"" + spec.tag.str() + "\"");
        if (shared_->sums_ranges) call.headers.emplace_back(kSumHeader, "true");
        return call;
    }
    Tag tag_of(const net::Response& answer) override { return Tag(plain_tag(answer.header("etag"))); }
    /// Content-MD5 is of what was sent; of a range, that of the whole comes under another name.
    ObjectChecksum checksum_of(const net::Response& answer, const ObjectKey&) override {
        return md5_of(answer.status() == 206 ? answer.header("x-ms-blob-content-md5") : answer.header("content-md5"));
    }

    uint64_t checked_range_bytes() const override { return shared_->sums_ranges ? kCheckedRangeBytes : 0; }
    Result<ObjectChecksum> range_checksum_of(const net::Response& answer) override {
        return crc64_of(answer.header("x-ms-content-crc64"));
    }

    /// A hierarchical namespace lists folder by folder, and nothing says how flat ones compare names.
    bool can_start_after() const override { return false; }
    Call page_call(const PageRequest& page) override {
        Call call;
        call.query.emplace_back("comp", "list");
        if (!page.delimiter.empty()) call.query.emplace_back("delimiter", page.delimiter);
        call.query.emplace_back("include", "metadata");
        if (!page.token.empty()) call.query.emplace_back("marker", page.token);
        call.query.emplace_back("maxresults", "5000");
        if (const std::string folder = page.folder.empty() ? shared_->prefix() : page.folder; !folder.empty())
            call.query.emplace_back("prefix", folder);
        call.query.emplace_back("restype", "container");
        return call;
    }
    std::unique_ptr<PageParser> page_parser(const PageRequest&) override { return std::make_unique<ListParser>(); }

  private:
    /// A signature is of a time, which the service takes within a quarter of an hour of its own: whether that was far
    /// off.
    bool clock_is_off(const net::Response& response) const {
        const int64_t server = parse_http_date(std::string(response.header("date"))),
                      here = shared_->machine.clock.unix_s();
        const bool signs = shared_->credentials.kind() == CredentialSource::Kind::shared_key;
        return signs && server >= 0 && std::abs(server - here - shared_->clock_skew_s) >= kClockOffS;
    }
    /// For a service that refuses to sum ranges. False when the call asked for nothing of the kind.
    bool without_sum(Call& call) {
        const size_t dropped =
            std::erase_if(call.headers, [](const net::Header& header) { return header.first == kSumHeader; });
        if (dropped > 0 && shared_->sums_ranges.exchange(false))
            shared_->machine.log.info("the service states no checksums of ranges",
                                      {{"endpoint", shared_->endpoint.url()}});
        return dropped > 0;
    }

    std::shared_ptr<AzureContainer> shared_;
};

Task<Result<Prepared>> AzureProtocol::prepare(const Call& call, net::HttpClient& credentials_http) {
    using Kind = CredentialSource::Kind;
    const CredentialSource& credentials = shared_->credentials;
    Prepared out;
    out.endpoint = shared_->endpoint;
    out.request.method = call.method;
    const std::string path = shared_->path_prefix + "/" + shared_->container +
                             (call.key.empty() ? "" : "/" + uri_encode(call.key.str(), true));
    out.request.target = path;
    if (!call.query.empty()) out.request.target += "?" + uri_encode_pairs(call.query);
    out.request.headers = call.headers;
    out.request.headers.emplace_back("x-ms-date", http_date(shared_->machine.clock.unix_s() + shared_->clock_skew_s));
    out.request.headers.emplace_back("x-ms-version", kVersion);
    if (credentials.kind() == Kind::anonymous) co_return out;
    if (credentials.kind() == Kind::sas) {
        out.request.target += (call.query.empty() ? "?" : "&") + credentials.sas();
    } else if (credentials.kind() == Kind::shared_key) {
        const SigningInput input{call.method, shared_->account, path, call.query, out.request.headers};
        out.request.headers.emplace_back("Authorization", shared_key_authorization(input, credentials.shared_key()));
    } else {
        ZCDP_CO_TRY(const Token token, co_await shared_->credentials.get(credentials_http, shared_->clock_skew_s));
        out.request.headers.emplace_back("Authorization", "Bearer " + token.bearer);
        out.credential = token.bearer;
    }
    co_return out;
}

/// learn.microsoft.com/azure/storage/common/storage-account-overview: 3 to 24 small letters and digits.
bool is_account(std::string_view name) {
    return name.size() >= 3 && name.size() <= 24 &&
           name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789") == name.npos;
}

/// Names of containers: small letters, digits and hyphens; $root and $web are Azure's own.
bool is_container(std::string_view name) {
    if (name == "$root" || name == "$web") return true;
    return name.size() >= 3 && name.size() <= 63 &&
           name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == name.npos;
}

}  // namespace

bool is_blob_url(const std::string& source) {
    if (source.starts_with("az://")) return true;
    const auto url = split_url(source);
    return url && url->first.tls && url->first.host.find(".blob.core.") != std::string::npos;
}

Result<Location> parse_location(const std::string& source) {
    Location out;
    std::string rest;
    if (source.starts_with("az://")) {
        rest = source.substr(5);
    } else {
        ZCDP_TRY(const auto url, split_url(source));
        out.endpoint = url.first.url();
        std::string host_account = url.first.host.substr(0, url.first.host.find('.'));
        if (host_account.ends_with("-secondary"))
            host_account.resize(host_account.size() - 10);  // the same account, in its other region
        const size_t query = url.second.find('?');
        rest = host_account + url.second.substr(0, query);
        if (query != url.second.npos) out.sas = url.second.substr(query + 1);
        if (!out.sas.empty() && ("&" + out.sas).find("&sig=") == std::string::npos)
            return Error(ErrorKind::usage, "has a query that is no SAS token", source.substr(0, source.find('?')),
                         "write https://ACCOUNT.blob.core.windows.net/CONTAINER/PREFIX/");
        if (!percent_decode(rest, false)) return Error(ErrorKind::usage, "is not URL-encoded", source);
    }
    const size_t first = rest.find('/');
    const size_t second = first == rest.npos ? rest.npos : rest.find('/', first + 1);
    out.account = rest.substr(0, first);
    if (first != rest.npos)
        out.container = rest.substr(first + 1, second == rest.npos ? rest.npos : second - first - 1);
    if (second != rest.npos) out.prefix = rest.substr(second + 1);
    if (!is_account(out.account) || !is_container(out.container))
        return Error(ErrorKind::usage, "names no account and container", source,
                     "write az://ACCOUNT/CONTAINER/PREFIX/");
    return out;
}

Result<> AzureContainer::configure() {
    std::string url = options.endpoint;
    if (url.empty()) {
        ZCDP_TRY(const std::string connection, credential(options, machine, "AZURE_STORAGE_CONNECTION_STRING"));
        url = blob_endpoint(connection, account);
    }
    if (url.empty()) url = "https://" + account + kBlobHost;
    // An emulator's endpoint may end in the account's name.
    if (url.ends_with('/')) url.pop_back();
    if (url.ends_with("/" + account)) url.resize(url.size() - account.size() - 1);
    ZCDP_TRY(endpoint, net::Endpoint::parse(url));
    const bool host_says_it = endpoint.host == account || endpoint.host.starts_with(account + ".") ||
                              endpoint.host.starts_with(account + "-secondary.");
    if (!host_says_it || options.path_style) path_prefix = "/" + account;
    ZCDP_CHECK(configure_network());
    return credentials.choose();
}

std::unique_ptr<Protocol> make_azure_protocol(std::shared_ptr<AzureContainer> shared) {
    return std::make_unique<AzureProtocol>(std::move(shared));
}

}  // namespace zcdp::origin::azure
