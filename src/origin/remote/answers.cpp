#include "src/origin/remote/answers.hpp"

#include <algorithm>
#include <charconv>

#include "zcdp/base/clock.hpp"
#include "zcdp/origin/origin.hpp"

namespace zcdp::origin {

bool to_number(std::string_view text, uint64_t& value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return !text.empty() && error == std::errc() && end == text.data() + text.size();
}

std::optional<ContentRange> parse_content_range(std::string_view value) {
    if (!value.starts_with("bytes ")) return std::nullopt;
    value.remove_prefix(6);
    const size_t dash = value.find('-'), slash = value.find('/');
    if (dash == value.npos || slash == value.npos || slash < dash) return std::nullopt;
    ContentRange range;
    if (!to_number(value.substr(0, dash), range.first) || !to_number(value.substr(dash + 1, slash - dash - 1), range.last) ||
        !to_number(value.substr(slash + 1), range.total))
        return std::nullopt;
    return range;
}

std::string plain_tag(std::string_view etag) {
    if (etag.starts_with("W/")) etag.remove_prefix(2);
    if (etag.size() >= 2 && etag.front() == '"' && etag.back() == '"') etag = etag.substr(1, etag.size() - 2);
    return std::string(etag);
}

std::string unmodified_since_of(std::string_view tag) {
    const auto time = time_of_tag(tag);
    return time ? http_date(*time + (tag.find('.') != tag.npos)) : "";
}

Error error_of_status(int status, const std::string& what, const std::string& object) {
    if (status / 100 == 3) return Error(ErrorKind::failed, "is served elsewhere, and redirects are not followed: " + what, object, "check the --endpoint");
    return Error(status >= 500 ? ErrorKind::unreachable : ErrorKind::failed, what, object);
}

std::optional<Error> client_certificate_refused(int status, std::string_view body, const std::string& object) {
    if (status != 400) return std::nullopt;
    if (body.find("No required SSL certificate was sent") != body.npos)
        return Error(ErrorKind::denied, "the server wants a client certificate (HTTP 400)", object, "name one with --client-cert and --client-key");
    if (body.find("The SSL certificate error") != body.npos)
        return Error(ErrorKind::denied, "the server refuses the client certificate (HTTP 400)", object, "check its dates, and that the server trusts who signed it");
    return std::nullopt;
}

uint64_t retry_after_ms_of(const net::Response& answer) {
    uint64_t seconds = 0;
    return to_number(answer.header("retry-after"), seconds) ? std::min<uint64_t>(seconds, 60) * 1000 : 0;
}

Result<std::pair<net::Endpoint, std::string>> split_url(const std::string& url) {
    const size_t scheme = url.find("://");
    const size_t path = scheme == url.npos ? url.npos : url.find_first_of("/?", scheme + 3);
    ZCDP_TRY(auto endpoint, net::Endpoint::parse(url.substr(0, path)));
    std::string target = path == url.npos ? "/" : url.substr(path);
    if (target[0] == '?') target.insert(0, 1, '/');
    target.resize(std::min(target.find('#'), target.size()));
    // A line break would begin a header of its own (RFC 9112 2.2); a space is what people and some servers write for %20.
    if (std::any_of(target.begin(), target.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; }))
        return Error(ErrorKind::usage, "has a control byte", url.substr(0, url.find('?')), "write it URL-encoded");
    for (size_t at = target.find(' '); at != target.npos; at = target.find(' ', at)) target.replace(at, 1, "%20");
    return std::pair(std::move(endpoint), std::move(target));
}

}  // namespace zcdp::origin
