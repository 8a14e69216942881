#include "src/origin/http/http_protocol.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "src/origin/http/hub.hpp"
#include "src/origin/http/index.hpp"
#include "src/origin/remote/answers.hpp"
#include "zcdp/base/ascii.hpp"
#include "zcdp/base/digest.hpp"

namespace zcdp::origin::http {
namespace {

constexpr int kRedirectsMax = 5;
constexpr std::string_view kDatePrefix = "modified ";

constexpr std::string_view kDigestPrefix = "sha256 ";

/// What a refused request is told to do next.
std::string hint_of(int status, bool repository, bool has_credentials) {
    if (status == 404 || status == 410)
        return repository
                   ? "check ORG/NAME@REVISION (a revision's own slashes are written %2F), or NAME@REVISION/FOLDER "
                     "without an ORG; who may not see a repository may be told so, too (HF_TOKEN)"
                   : "check the URL; a folder's ends in /";
    if (!repository)
        return has_credentials ? "check ZCDP_HTTP_TOKEN, ZCDP_HTTP_USER and ZCDP_HTTP_PASSWORD, or ~/.netrc"
                               : "set ZCDP_HTTP_TOKEN, or ZCDP_HTTP_USER and ZCDP_HTTP_PASSWORD";
    return has_credentials ? "check HF_TOKEN, and that it may read this repository"
                           : "set HF_TOKEN to a token that may read this repository";
}

Error error_of(int status, const std::string& name, bool repository, bool has_credentials) {
    const std::string what = fmt::format("HTTP {}", status), hint = hint_of(status, repository, has_credentials);
    switch (status) {
        case 404:
        case 410: return Error(ErrorKind::not_found, "is not there: " + what, name, hint);
        case 401:
        case 403: return Error(ErrorKind::denied, "access is denied: " + what, name, hint);
        default: break;
    }
    if (status / 100 == 3) return Error(ErrorKind::failed, what, name);  // those that lead elsewhere are followed
    return error_of_status(status, what, name);
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

/// A hub says why it refuses; a gated repository wants its terms accepted, and the token is as it should be.
Error with_words(Error error, const net::Response& answer, std::string_view body, bool has_credentials) {
    if (error.kind() != ErrorKind::denied && error.kind() != ErrorKind::not_found) return error;
    const std::string words = words_of_refusal(answer.header("x-error-message"), body);
    const std::string code = printable(answer.header("x-error-code").substr(0, 40));
    if (words.empty() && code.empty()) return error;
    const bool gated = code == "GatedRepo";
    const std::string said = code.empty() || words.empty() ? code + words : code + ": " + words;
    return Error(gated ? ErrorKind::denied : error.kind(), error.what() + " (" + said + ")", error.object(),
                 !gated ? error.hint()
                        : std::string("ask for access on the repository's page, ") +
                              (has_credentials ? "as the account that HF_TOKEN is of"
                                               : "and set HF_TOKEN to the account's token"));
}

/// A strong ETag without its quotes, a weak one as it is, else the date.
Tag stated_tag(const net::Response& answer) {
    const std::string_view etag = answer.header("etag");
    if (etag.starts_with("W/")) return Tag(etag);
    if (!etag.empty()) return Tag(plain_tag(etag));
    const std::string_view date = answer.header("last-modified");
    return date.empty() ? Tag() : Tag(std::string(kDatePrefix) + std::string(date));
}

ObjectChecksum claimed(const WebSource& shared, const std::string& key) {
    ObjectChecksum out;
    out.raw = shared.claim_of(key).sha256;
    if (!out.raw.empty()) out.kind = ObjectChecksum::Kind::sha256;
    return out;
}

/// A Location as a whole URL, whether it may be followed or not.
std::string resolved(const net::Endpoint& from, const std::string& target, std::string_view location) {
    std::string url(location);
    const std::string path = target.substr(0, target.find_first_of("?#"));
    if (const size_t scheme = scheme_bytes(url); scheme > 0)
        return to_lower(url.substr(0, scheme)) + url.substr(scheme);
    if (url.starts_with("//")) return (from.tls ? "https:" : "http:") + url;
    if (url.starts_with('/')) return from.url() + without_dots(url);
    if (url.starts_with('?')) return from.url() + path + url;
    return from.url() + without_dots(path.substr(0, path.rfind('/') + 1) + url);
}

/// Answers to a HEAD that say nothing of the file, but of a server that takes none: addresses that are signed for GET
/// alone, small servers, doors that know GET. And what the words are is in the body alone.
bool refuses_head(int status) {
    return status / 100 == 4 ? status != 401 && status != 407 && status != 408 && status != 429
                             : status == 500 || status == 501;
}

class HttpProtocol final : public Protocol {
  public:
    explicit HttpProtocol(std::shared_ptr<WebSource> shared) : shared_(std::move(shared)) {}

    OriginIdentity identity() const override {
        const std::string who = shared_->authorization.empty()
                                    ? "anonymous"
                                    : "authorization:" + to_hex(Sha256::of(shared_->authorization)).substr(0, 16);
        const bool tree = shared_->kind == Kind::tree;
        return {shared_->endpoint.url() + shared_->base, tree ? shared_->repository : shared_->source,
                tree ? shared_->folder : "", who};
    }
    std::string name_of(const ObjectKey& key) const override { return name_in(*shared_, key.str()); }

    Task<Result<Prepared>> prepare(const Call& call, net::HttpClient&) override {
        Prepared out;
        out.endpoint = shared_->endpoint;
        out.request.method = call.method;
        if (call.location.empty()) {
            out.request.target = shared_->target_of(call.key.str());
        } else {
            ZCDP_CO_TRY(auto where, split_url(call.location));
            out.endpoint = std::move(where.first), out.request.target = std::move(where.second);
        }
        out.request.headers = call.headers;
        out.request.headers.emplace_back("Accept", "*/*");  // as curl: some servers refuse who names nothing
        if (!shared_->authorization.empty() && out.endpoint == shared_->endpoint)
            out.request.headers.emplace_back("Authorization", shared_->authorization);
        co_return out;
    }

    RetryDecision classify(Call& call, const Prepared& sent, const net::Response& answer, std::string_view body,
                           const std::string& name, Tried& tried) override {
        using Action = RetryDecision::Action;
        const int status = answer.status();
        if (status == 301 || status == 302 || status == 303 || status == 307 || status == 308)
            return follow(call, sent, answer, name, tried);
        const bool tree = shared_->kind == Kind::tree, known = !shared_->authorization.empty();
        if (refuses_head(status) && ask_for_first_byte(call))
            return {Action::at_once, error_of(status, name, tree, known)};
        if (status == 416 && std::erase(call.headers, first_byte()) > 0)
            return {Action::at_once, error_of(status, name, tree, known)};  // no first byte: empty
        RetryDecision decision{Action::none, error_of(status, name, tree, known)};
        if (tree) decision.error = with_words(std::move(decision.error), answer, body, known);
        if (status == 429 || status == 503) decision.action = Action::slow_down;
        else if (status == 408 || (status >= 500 && status != 501)) decision.action = Action::retry;
        return decision;
    }

    Call head_call(const ObjectKey& key) override { return {"HEAD", key, {}, {}, 0, ""}; }

    Result<ObjectInfo> info_of(const net::Response& answer, std::string_view, const ObjectKey& key) override {
        const auto size = object_bytes_of(answer);
        if (!size)
            return Error(ErrorKind::refused, "does not say its size", name_of(key),
                         "zcdp needs a Content-Length; a folder's URL ends in /");
        return info_from(*shared_, answer, key.str(), *size);
    }

    Call read_call(const ObjectKey& key, const ReadSpec& spec, bool) override {
        Call call{"GET", key, {}, {}, 0, ""};
        if (shared_->kind == Kind::tree) return call;  // a commit never changes
        const std::string& tag = spec.tag.str();
        if (tag.starts_with(kDatePrefix))
            call.headers.emplace_back("If-Unmodified-Since", tag.substr(kDatePrefix.size()));
        else if (!tag.starts_with("W/") && !tag.starts_with(kDigestPrefix))
            call.headers.emplace_back("If-Match", shared_->bare_tags ? tag : "\"" + tag + "\"");
        return call;
    }

    /// "" where it decides nothing: a commit's files never change, and a digest says more than what a mirror calls a
    /// file.
    Tag tag_of(const net::Response& answer) override {
        return shared_->kind == Kind::tree || shared_->digest_decides() ? Tag() : stated_tag(answer);
    }

    ObjectChecksum checksum_of(const net::Response&, const ObjectKey& key) override {
        return claimed(*shared_, key.str());
    }

  private:
    RetryDecision follow(Call& call, const Prepared& sent, const net::Response& answer, const std::string& name,
                         Tried& tried) {
        const std::string here = sent.endpoint.url() + sent.target;
        std::string location(answer.header("location"));
        if (shared_->kind == Kind::tree)
            if (std::string there = at_base({shared_->endpoint, shared_->base}, location); there != here)
                location = std::move(there);
        auto next = redirected(sent.endpoint, sent.target, location);
        if (call.journey && call.journey->ends_at_folder &&
            is_folder_of(resolved(sent.endpoint, sent.target, location), here)) {
            call.journey->at_folder = true;
            return {RetryDecision::Action::none,
                    Error(ErrorKind::refused, "is a folder", name, "a folder's URL ends in /")};
        }
        if (!next) return {RetryDecision::Action::none, std::move(next).error().about(name)};
        if (++tried.redirects > kRedirectsMax)
            return {RetryDecision::Action::none, Error(ErrorKind::failed, "is redirected more than 5 times", name)};
        if (call.journey) call.journey->url = *next;
        call.location = std::move(*next);
        return {RetryDecision::Action::at_once,
                Error(ErrorKind::failed, fmt::format("HTTP {}", answer.status()), name)};
    }

    std::shared_ptr<WebSource> shared_;
};

}  // namespace

std::string name_in(const WebSource& shared, const std::string& key) {
    return shared.kind == Kind::file || key.empty() ? shared.source
                                                    : shared.source.substr(0, shared.source.rfind('/') + 1) + key;
}

Result<ObjectInfo> info_from(const WebSource& shared, const net::Response& answer, const std::string& key,
                             uint64_t size_bytes) {
    if (const std::string_view etag = answer.header("etag");
        !etag.empty() && etag.front() != '"' && !etag.starts_with("W/"))
        shared.bare_tags = true;
    ObjectInfo out{size_bytes, stated_tag(answer), claimed(shared, key)};
    out.has_ranges = answer.status() == 206 || answer.header("accept-ranges").find("bytes") != std::string_view::npos;
    if (shared.kind == Kind::tree) out.tag = shared.claim_of(key).tag;
    const bool has_digest = out.checksum.kind != ObjectChecksum::Kind::none;
    if (has_digest && (out.tag.empty() || shared.digest_decides()))
        out.tag = Tag(std::string(kDigestPrefix) + to_hex_of(out.checksum.raw));
    if (out.tag.empty())
        return Error(ErrorKind::refused, "has neither an ETag nor a Last-Modified, so a change could not be noticed",
                     name_in(shared, key), "give --sha256 or a SHA256SUMS");
    return out;
}

Result<std::string> redirected(const net::Endpoint& from, const std::string& target, std::string_view location) {
    if (location.empty()) return Error(ErrorKind::failed, "is redirected to nowhere");
    std::string url = resolved(from, target, location);
    const auto where = split_url(url);
    if (!where)
        return Error(ErrorKind::failed,
                     "is redirected to what is no http URL: " + printable(url.substr(0, url.find('?'))));
    if (from.tls && !where->first.tls)
        return Error(ErrorKind::failed, "is redirected from https to http, which is not followed");
    return url;
}

std::unique_ptr<Protocol> make_http_protocol(std::shared_ptr<WebSource> shared) {
    return std::make_unique<HttpProtocol>(std::move(shared));
}

}  // namespace zcdp::origin::http
