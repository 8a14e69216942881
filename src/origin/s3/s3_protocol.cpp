#include "src/origin/s3/s3_protocol.hpp"

#include <algorithm>

#include "src/origin/remote/answers.hpp"
#include "src/origin/remote/requester.hpp"
#include "src/origin/s3/list_page.hpp"

namespace zcdp::origin::s3 {
namespace {

constexpr int kRegionsMax = 2;
constexpr size_t kSessionBytesMax = 64 << 10;
constexpr const char* kChecksumMode = "x-amz-checksum-mode";

/// docs.aws.amazon.com/AmazonS3/latest/API/API_CreateSession.html
Call session_call() {
    Call call;
    call.query = {{"session", ""}};
    call.headers = {{"x-amz-create-session-mode", "ReadOnly"}};
    return call;
}
bool is_session_call(const Call& call) {
    return call.key.empty() && !call.query.empty() && call.query[0].first == "session";
}

/// The path and query on the wire, which are also the canonical ones.
std::string target_of(const Call& call, const Address& address, std::string& path, std::string& query) {
    path = address.path_prefix + "/" + uri_encode(call.key.str(), true);
    query = uri_encode_pairs(call.query);
    return query.empty() ? path : path + "?" + query;
}

class S3Protocol final : public Protocol {
  public:
    explicit S3Protocol(std::shared_ptr<S3Bucket> shared) : shared_(std::move(shared)) {}

    OriginIdentity identity() const override {
        // The region's host of AWS is no part of the identity: bucket names are unique over all of them.
        const Address address = shared_->address();
        return {address.aws ? "https://s3.amazonaws.com" : address.service_url,
                shared_->bucket,
                shared_->prefix(),
                shared_->credentials.identity(),
                false,
                true};
    }
    std::string name_of(const ObjectKey& key) const override {
        return "s3://" + shared_->bucket + "/" + key.str() +
               (key == single() && !key.empty() ? "?versionId=" + shared_->location.version : "");
    }
    ObjectKey single() const override { return ObjectKey(shared_->location.object); }

    void sent_by(Requester& requester) override { requester_ = &requester; }
    Task<Result<Prepared>> prepare(const Call& call, net::HttpClient& credentials_http) override;
    RetryDecision classify(Call& call, const Prepared& sent, const net::Response& answer, std::string_view body,
                           const std::string& name, Tried& tried) override;

    Call head_call(const ObjectKey& key) override {
        Call call = object_call("HEAD", key);
        if (shared_->states_checksums) call.headers.emplace_back(kChecksumMode, "ENABLED");
        return call;
    }
    Result<ObjectInfo> info_of(const net::Response& answer, std::string_view, const ObjectKey& key) override {
        const std::string& wanted = shared_->location.version;
        const std::string_view served = answer.header("x-amz-version-id");
        if (!wanted.empty() && served != wanted && !(served.empty() && wanted == "null"))
            return Error(ErrorKind::refused,
                         "another version than the one asked for: " +
                             (served.empty() ? "the origin keeps none" : printable(served)),
                         name_of(key));
        Tag tag = tag_of(answer);
        if (tag.empty()) tag = Tag(tag_suffix());
        return ObjectInfo{object_bytes_of(answer).value_or(0), std::move(tag), checksum_of(answer, key),
                          parse_http_date(std::string(answer.header("last-modified")))};
    }
    Call read_call(const ObjectKey& key, const ReadSpec& spec, bool whole) override {
        Call call = object_call("GET", key);
        const std::string& tag = spec.tag.str();
        const Tag etag(tag.substr(0, tag.size() - std::min(tag.size(), tag_suffix().size())));
        if (auto condition = condition_of(etag)) call.headers.push_back(std::move(*condition));
        if (whole && shared_->states_checksums) call.headers.emplace_back(kChecksumMode, "ENABLED");
        return call;
    }
    /// docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html, "partNumber".
    std::optional<Call> part_call(const ObjectKey& key, uint32_t number) override {
        Call call = head_call(key);
        call.query.insert(call.query.begin(), {"partNumber", std::to_string(number)});
        return call;
    }
    /// Of a single version the version is part of the tag, so that nothing takes one for another.
    Tag tag_of(const net::Response& answer) override {
        const std::string etag = plain_tag(answer.header("etag"));
        return etag.empty() ? Tag() : Tag(etag + tag_suffix());
    }
    ObjectChecksum checksum_of(const net::Response& answer, const ObjectKey&) override {
        return s3::checksum_of(answer);
    }

    // A directory bucket lists in no order, and from the start alone.
    bool can_start_after() const override { return shared_->location.zone.empty(); }
    Call page_call(const PageRequest& page) override {
        Call call =
            list_call(page, page.token.empty() ? shared_->lists_v2.load() : !page.token_is_key, shared_->encodes_keys);
        if (shared_->options.request_payer) call.headers.emplace_back("x-amz-request-payer", "requester");
        return call;
    }
    std::unique_ptr<PageParser> page_parser(const PageRequest&) override { return std::make_unique<ListParser>(); }

  private:
    std::string tag_suffix() const { return shared_->location.version.empty() ? "" : "@" + shared_->location.version; }
    Call object_call(const char* method, const ObjectKey& key) const {
        Call call{method, key, {}, shared_->object_headers(), 0, ""};
        if (!shared_->location.version.empty()) call.query.emplace_back("versionId", shared_->location.version);
        return call;
    }
    /// Whether asking again at once can help.
    bool mend(Action action, const ErrorAnswer& answer, const net::Response& response, const Prepared& sent,
              Tried& tried);
    bool has_sessions() const { return !shared_->location.zone.empty() && !shared_->options.anonymous; }
    Task<Result<Credentials>> create_session();
    Call list_call(const PageRequest& page, bool v2, bool encoded) const;
    bool without_extra(Call& call, const ErrorAnswer& answer);
    std::shared_ptr<S3Bucket> shared_;
    Requester* requester_ = nullptr;
    Signer signer_;
};

Task<Result<Prepared>> S3Protocol::prepare(const Call& call, net::HttpClient& credentials_http) {
    const Address address = shared_->address();
    Prepared out;
    out.endpoint = address.endpoint;
    out.request.method = call.method;
    std::string path, query;
    out.request.target = target_of(call, address, path, query);
    out.request.headers = call.headers;
    const bool in_session = has_sessions() && !is_session_call(call);
    auto create = [this] { return create_session(); };  // no coroutine itself; lives in this frame
    auto found = in_session ? co_await shared_->session.get(shared_->machine.clock, shared_->clock_skew_s, create)
                            : co_await shared_->credentials.get(credentials_http, shared_->clock_skew_s);
    if (!found) co_return std::move(found).error();
    Credentials used = std::move(*found);
    if (used.anonymous()) co_return out;
    out.credential = used.id();
    const std::string date = amz_date(shared_->machine.clock.unix_s() + shared_->clock_skew_s);
    const std::string host = address.endpoint.authority();
    SigningInput input;
    input.method = call.method, input.host = host, input.path = path, input.query = query;
    input.region = address.region, input.service = address.service, input.amz_date = date,
    input.payload_sha256 = kEmptySha256;
    if (in_session) out.request.headers.emplace_back("x-amz-s3session-token", std::exchange(used.session_token, ""));
    // Services may insist that every x-amz-* header is signed.
    for (const auto& [name, value] : out.request.headers)
        if (name.starts_with("x-amz-")) input.extra_headers.emplace_back(name, value);
    out.request.headers.emplace_back("Authorization", signer_.authorization(input, used));
    out.request.headers.emplace_back("x-amz-content-sha256", kEmptySha256);
    out.request.headers.emplace_back("x-amz-date", date);
    if (!used.session_token.empty()) out.request.headers.emplace_back("x-amz-security-token", used.session_token);
    co_return out;
}

Task<Result<Credentials>> S3Protocol::create_session() {
    ZCDP_CO_TRY(const auto answer, co_await requester_->send(session_call()));
    ZCDP_CO_TRY(const std::string body, co_await answer->read_all(kSessionBytesMax));
    auto session = parse_sts_answer(body);
    if (!session) co_return Error(ErrorKind::failed, "CreateSession's answer has no credentials", name_of(ObjectKey()));
    shared_->machine.log.debug("a session was created", {{"bucket", shared_->bucket}});
    co_return session;
}

bool S3Protocol::mend(Action action, const ErrorAnswer& answer, const net::Response& response, const Prepared& sent,
                      Tried& tried) {
    switch (action) {
        case Action::refresh_credentials:
            shared_->credentials.expired(sent.credential);
            shared_->session.drop(sent.credential);
            return tried.refresh_again();
        case Action::correct_clock: return correct_clock(*shared_, response, tried);
        case Action::use_region:
            // Only a region is taken from the answer, never a host: credentials go nowhere else.
            return tried.regions++ < kRegionsMax && shared_->move_to_region(answer.region);
        case Action::use_host: {
            if (tried.regions++ >= kRegionsMax) return false;
            const bool moved = shared_->move_to_host();
            return moved || shared_->address().endpoint != sent.endpoint;  // another request has moved already
        }
        default: return false;
    }
}

/// docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html; without `v2` API_ListObjects.html, which begins
/// after a key.
Call S3Protocol::list_call(const PageRequest& page, bool v2, bool encoded) const {
    Call call;
    if (v2 && !page.token.empty()) call.query.emplace_back("continuation-token", page.token);
    if (!page.delimiter.empty()) call.query.emplace_back("delimiter", page.delimiter);
    if (encoded) call.query.emplace_back("encoding-type", "url");
    if (v2) call.query.emplace_back("list-type", "2");
    const std::string& after = page.token.empty() ? page.after : page.token;
    if (!v2 && !after.empty()) call.query.emplace_back("marker", after);
    call.query.emplace_back("max-keys", "1000");
    call.query.emplace_back("prefix", page.folder.empty() ? shared_->prefix() : page.folder);
    if (v2 && page.token.empty() && !page.after.empty()) call.query.emplace_back("start-after", page.after);
    return call;
}

/// Takes an extra out of a call that the service may have refused for it; later calls do without it, too, where that
/// costs nothing, or where the service says that it does not know it. False: there is none.
bool S3Protocol::without_extra(Call& call, const ErrorAnswer& answer) {
    const Unknown unknown = is_unknown_feature(answer);
    if (unknown == Unknown::no) return false;
    if (std::erase_if(call.headers, [](const net::Header& header) { return header.first == kChecksumMode; }) > 0) {
        const bool sure = unknown == Unknown::surely || minds_header(answer, kChecksumMode);
        if (sure && shared_->states_checksums.exchange(false))
            shared_->machine.log.warn("the service knows no x-amz-checksum-mode: no checksums are compared",
                                      {{"bucket", shared_->bucket}, {"error", printable(answer.message)}});
        return true;
    }
    const auto value = [&](std::string_view name) -> std::string {
        const auto at =
            std::find_if(call.query.begin(), call.query.end(), [&](const auto& one) { return one.first == name; });
        return at == call.query.end() ? "" : at->second;
    };
    const bool v2 = value("list-type") == "2", encoded = !value("encoding-type").empty();
    if (!call.key.empty() || !(encoded || (v2 && value("continuation-token").empty()))) return false;
    const PageRequest page{value("delimiter"), v2 ? value("start-after") : value("marker"), value("continuation-token"),
                           false, value("prefix")};
    (encoded ? shared_->encodes_keys : shared_->lists_v2) = false;
    call.query = list_call(page, encoded && v2, false).query;
    return true;
}

RetryDecision S3Protocol::classify(Call& call, const Prepared& sent, const net::Response& response,
                                   std::string_view body, const std::string& name, Tried& tried) {
    const ErrorAnswer answer = parse_error(response, body);
    const Action action = action_of(answer);
    const bool versioned = !call.key.empty() && !shared_->location.version.empty();
    RetryDecision decision{RetryDecision::Action::none,
                           versioned ? error_of_version(answer, name) : error_of(answer, name)};
    if (action == Action::none && (answer.status == 400 || answer.status == 403 || answer.status == 301) &&
        ask_by_get(call)) {
        decision.action = RetryDecision::Action::at_once;
        return decision;
    }
    if (mend(action, answer, response, sent, tried) || (action == Action::none && without_extra(call, answer)))
        decision.action = RetryDecision::Action::at_once;
    else if (action == Action::slow_down) decision.action = RetryDecision::Action::slow_down;
    else if (action == Action::retry) decision.action = RetryDecision::Action::retry;
    return decision;
}

}  // namespace

std::unique_ptr<Protocol> make_s3_protocol(std::shared_ptr<S3Bucket> shared) {
    return std::make_unique<S3Protocol>(std::move(shared));
}

}  // namespace zcdp::origin::s3
