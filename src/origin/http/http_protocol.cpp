#include "src/origin/http/http_protocol.hpp"

#include <fmt/format.h>

#include "src/origin/remote/answers.hpp"
#include "zcdp/base/digest.hpp"

namespace zcdp::origin::http {
namespace {

constexpr int kRedirectsMax = 5;
constexpr std::string_view kDatePrefix = "modified ";
const net::Header kProbe{"Range", "bytes=0-0"};  ///< a GET for who takes no HEAD

/// `repository`: of a hub, not of any web server.
Error error_of(int status, const std::string& name, bool repository) {
    const std::string what = fmt::format("HTTP {}", status);
    switch (status) {
        case 404:
        case 410: return Error(ErrorKind::not_found, "is not there: " + what, name, repository ? "check ORG/NAME@REVISION, or NAME@REVISION/FOLDER without an ORG; who may not see a repository may be told so, too (HF_TOKEN)" : "check the URL; a folder's ends in /");
        case 401:
        case 403: return Error(ErrorKind::denied, "access is denied: " + what, name, repository ? "check HF_TOKEN, and that it may read this repository" : "check ZCDP_HTTP_TOKEN, ZCDP_HTTP_USER and ZCDP_HTTP_PASSWORD");
        case 407: return Error(ErrorKind::denied, "the proxy wants other credentials (HTTP 407)", name, "check HTTP_PROXY or the backend's Secret");
        case 412:
        case 416: return Error(ErrorKind::source_changed, "changed while it was being read: " + what, name);
        case 429:
        case 503: return Error(ErrorKind::throttled, "the origin asks for fewer requests: " + what, name);
        default: return Error(status >= 500 ? ErrorKind::unreachable : ErrorKind::failed, what, name);
    }
}

std::string lower_case(std::string text) {
    for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    return text;
}

/// Of "http://HOST/…", how much is the scheme; 0 for a reference, whatever its query has (RFC 3986 4.1).
size_t scheme_bytes(std::string_view reference) {
    const size_t end = reference.find_first_of(":/?#");
    return end != reference.npos && reference.substr(end).starts_with("://") ? end : 0;
}

/// A path whose "." and ".." are followed, as a client has to before it asks (RFC 3986 5.2.4); a query stays as it is.
std::string without_dots(const std::string& reference) {
    const size_t end = std::min(reference.find_first_of("?#"), reference.size());
    std::string out;
    for (size_t begin = 1; begin <= end;) {
        const size_t slash = std::min(reference.find('/', begin), end);
        const std::string part = reference.substr(begin, slash - begin);
        const bool last = slash == end;
        if (part == "..") out.erase(std::min(out.rfind('/'), out.size()));
        if (part != "." && part != "..") out += "/" + part;
        else if (last) out += "/";
        begin = slash + 1;
    }
    return out + reference.substr(end);
}

class HttpProtocol final : public Protocol {
  public:
    explicit HttpProtocol(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}

    OriginIdentity identity() const override {
        const std::string who = shared_->authorization.empty() ? "anonymous" : "authorization:" + to_hex(Sha256::of(shared_->authorization)).substr(0, 16);
        const bool tree = shared_->kind == Kind::tree;
        return {shared_->endpoint.url(), tree ? shared_->repository : shared_->source, tree ? shared_->folder : "", who};
    }
    std::string name_of(const std::string& key) const override {
        return shared_->kind == Kind::file || key.empty() ? shared_->source : folder_name() + key;
    }

    Task<Result<Prepared>> prepare(const Call& call, net::HttpClient&) override {
        Prepared out;
        out.endpoint = shared_->endpoint;
        out.request.method = call.method;
        if (call.location.empty()) {
            out.request.target = shared_->target_of(call.key);
        } else {
            ZCDP_CO_TRY(auto where, split_url(call.location));
            out.endpoint = std::move(where.first), out.request.target = std::move(where.second);
        }
        out.request.headers = call.headers;
        out.request.headers.emplace_back("Accept", "*/*");  // as curl: some servers refuse who names nothing
        if (!shared_->authorization.empty() && out.endpoint == shared_->endpoint) out.request.headers.emplace_back("Authorization", shared_->authorization);
        co_return out;
    }

    Verdict judge(Call& call, const Prepared& sent, const net::Response& answer, std::string_view, const std::string& name, Tried& tried) override {
        using Remedy = Verdict::Remedy;
        const int status = answer.status();
        if (status == 301 || status == 302 || status == 303 || status == 307 || status == 308) return follow(call, sent, answer, name, tried);
        // Some places take no HEAD: addresses that are signed for GET alone, small servers. And a 400 has its words in the body.
        if (call.method == "HEAD" && (status == 400 || status == 405 || status == 501 || (status == 403 && sent.target.find('?') != std::string::npos))) {
            call.method = "GET";
            call.headers.push_back(kProbe);
            return {Remedy::at_once, error_of(status, name, false)};
        }
        if (status == 416 && std::erase(call.headers, kProbe) > 0) return {Remedy::at_once, error_of(status, name, false)};  // it has no first byte
        Verdict verdict{Remedy::none, error_of(status, name, shared_->kind == Kind::tree)};
        if (status == 429 || status == 503) verdict.remedy = Remedy::slow_down;
        else if (status == 408 || (status >= 500 && status != 501)) verdict.remedy = Remedy::retry;
        return verdict;
    }

    Call head_call(const std::string& key) override { return {"HEAD", key, {}, {}, 0, ""}; }

    Result<ObjectInfo> info_of(const net::Response& answer, std::string_view, const std::string& key) override {
        ObjectInfo out{object_bytes_of(answer).value_or(0), tag_of(answer), checksum_of(answer, key)};
        if (shared_->kind == Kind::tree) out.tag = shared_->claim_of(key).tag;
        if (out.tag.empty() && out.checksum.kind != ObjectChecksum::Kind::none) out.tag = "sha256 " + to_hex_of(out.checksum.raw);
        out.has_ranges = answer.status() == 206 || answer.header("accept-ranges").find("bytes") != std::string_view::npos;
        if (out.tag.empty()) return Error(ErrorKind::refused, "has neither an ETag nor a Last-Modified, so a change could not be noticed", name_of(key), "give --sha256 or a SHA256SUMS");
        return out;
    }

    Call read_call(const std::string& key, const ReadSpec& spec, bool) override {
        Call call{"GET", key, {}, {}, 0, ""};
        if (shared_->kind == Kind::tree) return call;  // a commit never changes
        if (spec.tag.starts_with(kDatePrefix)) call.headers.emplace_back("If-Unmodified-Since", spec.tag.substr(kDatePrefix.size()));
        else if (!spec.tag.starts_with("W/") && !spec.tag.starts_with("sha256 ")) call.headers.emplace_back("If-Match", shared_->bare_tags ? spec.tag : "\"" + spec.tag + "\"");
        return call;
    }

    /// A strong ETag without its quotes, a weak one as it is, else the date.
    std::string tag_of(const net::Response& answer) override {
        if (shared_->kind == Kind::tree) return "";
        const std::string_view etag = answer.header("etag");
        if (etag.starts_with("W/")) return std::string(etag);
        if (!etag.empty() && etag.front() != '"') shared_->bare_tags = true;
        if (!etag.empty()) return plain_tag(etag);
        const std::string_view date = answer.header("last-modified");
        return date.empty() ? "" : std::string(kDatePrefix) + std::string(date);
    }

    ObjectChecksum checksum_of(const net::Response&, const std::string& key) override {
        ObjectChecksum out;
        out.raw = shared_->claim_of(key).sha256;
        if (!out.raw.empty()) out.kind = ObjectChecksum::Kind::sha256;
        return out;
    }

  private:
    std::string folder_name() const { return shared_->source.substr(0, shared_->source.rfind('/') + 1); }
    Verdict follow(Call& call, const Prepared& sent, const net::Response& answer, const std::string& name, Tried& tried) {
        auto next = redirected(sent.endpoint, sent.target, answer.header("location"));
        if (!next) return {Verdict::Remedy::none, std::move(next).error().about(name)};
        if (++tried.redirects > kRedirectsMax) return {Verdict::Remedy::none, Error(ErrorKind::failed, "is redirected more than 5 times", name)};
        call.location = std::move(*next);
        return {Verdict::Remedy::at_once, Error(ErrorKind::failed, fmt::format("HTTP {}", answer.status()), name)};
    }

    std::shared_ptr<Shared> shared_;
};

}  // namespace

Result<std::string> redirected(const net::Endpoint& from, const std::string& target, std::string_view location) {
    if (location.empty()) return Error(ErrorKind::failed, "is redirected to nowhere");
    std::string url(location);
    const std::string path = target.substr(0, target.find_first_of("?#"));
    if (const size_t scheme = scheme_bytes(url); scheme > 0) url = lower_case(url.substr(0, scheme)) + url.substr(scheme);
    else if (url.starts_with("//")) url = (from.tls ? "https:" : "http:") + url;
    else if (url.starts_with('/')) url = from.url() + without_dots(url);
    else if (url.starts_with('?')) url = from.url() + path + url;
    else url = from.url() + without_dots(path.substr(0, path.rfind('/') + 1) + url);
    const auto where = split_url(url);
    if (!where) return Error(ErrorKind::failed, "is redirected to what is no http URL: " + printable(url.substr(0, url.find('?'))));
    if (from.tls && !where->first.tls) return Error(ErrorKind::failed, "is redirected from https to http, which is not followed");
    return url;
}

std::unique_ptr<Protocol> make_http_protocol(std::shared_ptr<Shared> shared) { return std::make_unique<HttpProtocol>(std::move(shared)); }

}  // namespace zcdp::origin::http
