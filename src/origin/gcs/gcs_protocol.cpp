#include "src/origin/gcs/gcs_protocol.hpp"

#include "src/origin/gcs/answers.hpp"
#include "src/origin/remote/answers.hpp"

namespace zcdp::origin::gcs {
namespace {

class GcsProtocol final : public Protocol {
  public:
    explicit GcsProtocol(std::shared_ptr<GcsBucket> shared) : shared_(std::move(shared)) {}

    OriginIdentity identity() const override {
        return {shared_->endpoint.url(), shared_->bucket, shared_->prefix(), shared_->tokens.identity()};
    }
    std::string name_of(const ObjectKey& key) const override { return "gs://" + shared_->bucket + "/" + key.str(); }

    Task<Result<Prepared>> prepare(const Call& call, net::HttpClient& credentials_http) override {
        Prepared out;
        out.endpoint = shared_->endpoint;
        out.request =
            request_of(shared_->bucket, call, shared_->options.billing_project, shared_->tokens.quota_project());
        ZCDP_CO_TRY(const Token token, co_await shared_->tokens.get(credentials_http, shared_->clock_skew_s));
        if (!token.bearer.empty()) out.request.headers.emplace_back("Authorization", "Bearer " + token.bearer);
        out.credential = token.bearer;
        co_return out;
    }

    RetryDecision classify(Call&, const Prepared& sent, const net::Response& response, std::string_view body,
                           const std::string& name, Tried& tried) override {
        const ErrorAnswer answer = parse_error(response.status(), body);
        RetryDecision decision{action_of(answer), error_of(answer, name)};
        if (answer.status == 401 && !sent.credential.empty() && tried.refresh_again()) {
            shared_->tokens.expired(sent.credential);
            decision.action = RetryDecision::Action::at_once;
        }
        return decision;
    }

    Call head_call(const ObjectKey& key) override {
        return {"GET", key, {{"fields", "size,generation,crc32c,md5Hash"}}, {}, 0};
    }
    Result<ObjectInfo> info_of(const net::Response&, std::string_view body, const ObjectKey&) override {
        return parse_object(body);
    }

    bool is_refusal(std::string_view body) const override { return gcs::is_refusal(body); }

    /// gzip is accepted so that objects which are stored compressed come as they are stored.
    Call read_call(const ObjectKey& key, const ReadSpec& spec, bool) override {
        Call call{"GET", key, {{"alt", "media"}}, {{"Accept-Encoding", "gzip"}}, 0};
        if (!spec.tag.empty()) call.query.emplace_back("ifGenerationMatch", spec.tag.str());
        return call;
    }
    const char* tag_word() const override { return "generation"; }
    Tag tag_of(const net::Response& answer) override { return Tag(answer.header("x-goog-generation")); }
    ObjectChecksum checksum_of(const net::Response& answer, const ObjectKey&) override {
        return gcs::checksum_of(answer.header("x-goog-hash"));
    }

    bool can_start_after() const override { return true; }
    Call page_call(const PageRequest& page) override {
        Call call;
        if (!page.delimiter.empty()) call.query.emplace_back("delimiter", page.delimiter);
        call.query.emplace_back("fields", "items(name,size,generation),prefixes,nextPageToken");
        call.query.emplace_back("maxResults", "1000");
        if (!page.token.empty()) call.query.emplace_back("pageToken", page.token);
        call.query.emplace_back("prefix", page.folder.empty() ? shared_->prefix() : page.folder);
        if (!page.after.empty())
            call.query.emplace_back("startOffset", page.after);  // the token goes with the same question
        return call;
    }
    std::unique_ptr<PageParser> page_parser(const PageRequest& page) override {
        return std::make_unique<ListParser>(page.after);
    }

  private:
    std::shared_ptr<GcsBucket> shared_;
};

}  // namespace

// cloud.google.com/storage/docs/using-requester-pays, and for the header cloud.google.com/apis/docs/system-parameters
net::Request request_of(const std::string& bucket, const Call& call, const std::string& billing_project,
                        const std::string& quota_project) {
    net::Request out;
    out.method = call.method;
    out.target = "/storage/v1/b/" + uri_encode(bucket, false) + "/o";
    if (!call.key.empty()) out.target += "/" + uri_encode(call.key.str(), false);
    auto query = call.query;
    out.headers = call.headers;
    if (!billing_project.empty()) query.emplace_back("userProject", billing_project);
    else if (!quota_project.empty()) out.headers.emplace_back("x-goog-user-project", quota_project);
    if (!query.empty()) out.target += "?" + uri_encode_pairs(query);
    return out;
}

Result<> GcsBucket::configure() {
    if (!options.billing_project.empty() && !is_project(options.billing_project))
        return Error(ErrorKind::usage, "is no project", options.billing_project, "give --billing-project its id");
    std::string url = options.endpoint;
    if (url.empty()) url = machine.environment("STORAGE_EMULATOR_HOST");
    if (url.empty()) url = "https://storage.googleapis.com";
    if (url.find("://") == std::string::npos) url = "http://" + url;
    ZCDP_TRY(endpoint, net::Endpoint::parse(url));
    ZCDP_CHECK(configure_network());
    return tokens.choose();
}

std::unique_ptr<Protocol> make_gcs_protocol(std::shared_ptr<GcsBucket> shared) {
    return std::make_unique<GcsProtocol>(std::move(shared));
}

}  // namespace zcdp::origin::gcs
