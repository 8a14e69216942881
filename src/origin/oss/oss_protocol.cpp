#include "src/origin/oss/oss_protocol.hpp"

#include "src/origin/oss/signature.hpp"
#include "src/origin/remote/answers.hpp"
#include "src/origin/s3/answers.hpp"
#include "src/origin/s3/list_page.hpp"
#include "zcdp/origin/checksums.hpp"

namespace zcdp::origin::oss {
namespace {

class OssProtocol final : public Protocol {
  public:
    explicit OssProtocol(std::shared_ptr<OssBucket> shared) : shared_(std::move(shared)) {}

    OriginIdentity identity() const override {
        return {shared_->endpoint.url(), shared_->bucket, shared_->prefix(), shared_->credentials.identity()};
    }
    std::string name_of(const ObjectKey& key) const override { return "oss://" + shared_->bucket + "/" + key.str(); }

    Task<Result<Prepared>> prepare(const Call& call, net::HttpClient& credentials_http) override {
        Prepared out;
        out.endpoint = shared_->endpoint;
        out.request.method = call.method;
        out.request.target = shared_->path_prefix + "/" + uri_encode(call.key.str(), true);
        if (!call.query.empty()) out.request.target += "?" + query_of(call.query);
        out.request.headers = call.headers;
        if (shared_->credentials.anonymous()) co_return out;
        ZCDP_CO_TRY(const Credentials used, co_await shared_->credentials.get(credentials_http, shared_->clock_skew_s));
        const std::string date = amz_date(shared_->machine.clock.unix_s() + shared_->clock_skew_s);
        SigningInput input{call.method, shared_->bucket, call.key.str(), shared_->region, call.query, {}, date};
        input.headers = {{"x-oss-content-sha256", "UNSIGNED-PAYLOAD"}, {"x-oss-date", date}};
        if (!used.security_token.empty()) input.headers.emplace_back("x-oss-security-token", used.security_token);
        out.request.headers.emplace_back("Authorization", authorization(input, used.access_key, used.secret_key));
        for (auto& header : input.headers) out.request.headers.push_back(std::move(header));
        out.credential = used.id();
        co_return out;
    }

    RetryDecision classify(Call& call, const Prepared& sent, const net::Response& response, std::string_view body,
                           const std::string& name, Tried& tried) override {
        const s3::ErrorAnswer answer = s3::parse_error(response, body);
        const auto action = s3::action_of(answer);
        RetryDecision decision{RetryDecision::Action::none, s3::error_of(answer, name)};
        if (decision.error.kind() == ErrorKind::denied)
            decision.error = Error(ErrorKind::denied, decision.error.what(), name,
                                   "check OSS_ACCESS_KEY_ID, --region and the right to list and read");
        if (action == s3::Action::slow_down) decision.action = RetryDecision::Action::slow_down;
        if (action == s3::Action::retry) decision.action = RetryDecision::Action::retry;
        const bool old = answer.code == "SecurityTokenExpired" || answer.code == "InvalidSecurityToken";
        if ((action == s3::Action::refresh_credentials || old) && !sent.credential.empty() && tried.refresh_again()) {
            shared_->credentials.expired(sent.credential);
            decision.action = RetryDecision::Action::at_once;
        }
        if (action == s3::Action::correct_clock && correct_clock(*shared_, response, tried))
            decision.action = RetryDecision::Action::at_once;
        if (decision.action == RetryDecision::Action::none && (answer.status == 400 || answer.status == 403) &&
            ask_by_get(call))
            decision.action = RetryDecision::Action::at_once;
        return decision;
    }

    Call head_call(const ObjectKey& key) override { return {"HEAD", key, {}, {}, 0, ""}; }
    Result<ObjectInfo> info_of(const net::Response& answer, std::string_view, const ObjectKey& key) override {
        return ObjectInfo{object_bytes_of(answer).value_or(0), tag_of(answer), checksum_of(answer, key),
                          parse_http_date(std::string(answer.header("last-modified")))};
    }
    Call read_call(const ObjectKey& key, const ReadSpec& spec, bool) override {
        Call call{"GET", key, {}, {}, 0, ""};
        if (auto condition = condition_of(spec.tag)) call.headers.push_back(std::move(*condition));
        return call;
    }
    Tag tag_of(const net::Response& answer) override { return Tag(plain_tag(answer.header("etag"))); }
    /// x-oss-hash-crc64ecma is of the whole object, in decimal, on every answer.
    ObjectChecksum checksum_of(const net::Response& answer, const ObjectKey&) override {
        ObjectChecksum out;
        uint64_t value = 0;
        if (!to_number(answer.header("x-oss-hash-crc64ecma"), value)) return out;
        out.kind = ObjectChecksum::Kind::crc64xz;
        out.raw = crc_raw(CrcKind::crc64xz, value);
        return out;
    }

    bool can_start_after() const override { return true; }
    Call page_call(const PageRequest& page) override {
        Call call;
        if (!page.token.empty() && !page.token_is_key) call.query.emplace_back("continuation-token", page.token);
        if (!page.delimiter.empty()) call.query.emplace_back("delimiter", page.delimiter);
        call.query.emplace_back("encoding-type", "url");
        call.query.emplace_back(page.token_is_key ? "marker" : "list-type", page.token_is_key ? page.token : "2");
        call.query.emplace_back("max-keys", "1000");
        if (const std::string folder = page.folder.empty() ? shared_->prefix() : page.folder; !folder.empty())
            call.query.emplace_back("prefix", folder);
        if (page.token.empty() && !page.after.empty()) call.query.emplace_back("start-after", page.after);
        return call;
    }
    std::unique_ptr<PageParser> page_parser(const PageRequest&) override { return std::make_unique<s3::ListParser>(); }

  private:
    std::shared_ptr<OssBucket> shared_;
};

bool is_region(const std::string& text) {
    return !text.empty() && text.size() <= 32 &&
           text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == text.npos;
}

}  // namespace

Result<> OssBucket::configure() {
    region = options.region;
    for (const char* name : {"OSS_REGION", "ALIBABA_CLOUD_REGION_ID"})
        if (region.empty()) region = machine.environment(name);
    std::string url = options.endpoint.empty() ? machine.environment("OSS_ENDPOINT") : options.endpoint;
    if (!url.empty() && url.find("://") == url.npos) url = "https://" + url;
    // https://oss-cn-hangzhou[-internal].aliyuncs.com says the region, too.
    if (const size_t at = url.find("://oss-"); region.empty() && at != url.npos) {
        region = url.substr(at + 7, url.find('.', at) - at - 7);
        if (region.ends_with("-internal")) region.resize(region.size() - 9);
    }
    if (region.starts_with("oss-")) region.erase(0, 4);
    if (!is_region(region))
        return Error(ErrorKind::usage, "has no region", "oss://" + bucket,
                     "add --region cn-hangzhou, or set OSS_REGION");
    if (url.empty()) url = "https://oss-" + region + ".aliyuncs.com";
    ZCDP_TRY(endpoint, net::Endpoint::parse(url));
    const bool can_be_label = bucket.size() <= 63;  // RFC 1035 2.3.4
    const bool in_host = !options.path_style && can_be_label && !endpoint.is_numeric() &&
                         endpoint.host != "localhost" && !(endpoint.tls && bucket.find('.') != std::string::npos);
    if (in_host) endpoint.host = bucket + "." + endpoint.host;
    else path_prefix = "/" + uri_encode(bucket, false);
    ZCDP_CHECK(credentials.choose());
    return configure_network();
}

std::unique_ptr<Protocol> make_oss_protocol(std::shared_ptr<OssBucket> shared) {
    return std::make_unique<OssProtocol>(std::move(shared));
}

}  // namespace zcdp::origin::oss
