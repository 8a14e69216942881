#include "src/origin/remote/answers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "zcdp/base/clock.hpp"
#include "zcdp/origin/origin.hpp"

namespace zcdp::origin {
namespace {

constexpr uint64_t kPatienceMostS = 300;  ///< the longest window that a service is known to count in

/// "name";r=0;t=55, "other";r=7;t=12: seconds until there is something left again, of the items that have nothing left.
uint64_t seconds_of_rate_limit(std::string_view items) {
    uint64_t longest = 0;
    while (!items.empty()) {
        const size_t comma = std::min(items.find(','), items.size());
        const std::string_view item = items.substr(0, comma);
        const auto parameter = [&](std::string_view name) {
            const size_t at = item.find(name);
            uint64_t value = UINT64_MAX;
            if (at != item.npos)
                to_number(item.substr(at + name.size(), item.find(';', at + name.size()) - at - name.size()), value);
            return value;
        };
        if (const uint64_t left = parameter(";t="); parameter(";r=") == 0 && left != UINT64_MAX)
            longest = std::max(longest, left);
        items.remove_prefix(std::min(comma + 1, items.size()));
    }
    return longest;
}

}  // namespace

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
    range.total_known = value.substr(slash + 1) != "*";
    if (!to_number(value.substr(0, dash), range.first) ||
        !to_number(value.substr(dash + 1, slash - dash - 1), range.last) ||
        (range.total_known && !to_number(value.substr(slash + 1), range.total)))
        return std::nullopt;
    return range;
}

std::optional<uint64_t> object_bytes_of(const net::Response& answer) {
    uint64_t stored = 0;  // Google's, of an object that it would send unpacked
    if (answer.status() != 206 && to_number(answer.header("x-goog-stored-content-length"), stored)) return stored;
    if (answer.status() != 206) return answer.body_bytes();
    const auto range = parse_content_range(answer.header("content-range"));
    return range && range->total_known ? std::optional(range->total) : std::nullopt;
}

std::string plain_tag(std::string_view etag) {
    if (etag.starts_with("W/")) etag.remove_prefix(2);
    if (etag.size() >= 2 && etag.front() == '"' && etag.back() == '"') etag = etag.substr(1, etag.size() - 2);
    return std::string(etag);
}

std::string unmodified_since_of(const Tag& tag) {
    const auto time = time_of_tag(tag);
    return time ? http_date(*time + (tag.str().find('.') != std::string::npos)) : "";
}

std::optional<net::Header> condition_of(const Tag& tag) {
    if (std::string time = unmodified_since_of(tag); !time.empty())
        return net::Header{"If-Unmodified-Since", std::move(time)};
    if (tag.empty()) return std::nullopt;
    return net::Header{"If-Match", "\"" + tag.str() + "\""};
}

std::string words_of_refusal(bool came_as_success, int status, std::string_view code, std::string_view message) {
    std::string words = came_as_success ? "in an answer of HTTP 200," : fmt::format("HTTP {}", status);
    if (!code.empty()) words += " " + printable(code);
    if (!message.empty()) words += ": " + printable(message.substr(0, 300));
    return words;
}

Error error_of_status(int status, const std::string& what, const std::string& object) {
    if (status / 100 == 3)
        return Error(ErrorKind::failed, "is served elsewhere, and redirects are not followed: " + what, object,
                     "check the --endpoint");
    switch (status) {
        case 407:
            return Error(ErrorKind::denied, "the proxy wants other credentials (HTTP 407)", object,
                         "check HTTP_PROXY or the backend's Secret");
        case 412:
        case 416: return Error(ErrorKind::source_changed, "changed while it was being read: " + what, object);
        case 429:
        case 503: return Error(ErrorKind::throttled, "the origin asks for fewer requests: " + what, object);
        default: break;
    }
    return Error(status >= 500 ? ErrorKind::unreachable : ErrorKind::failed, what, object);
}

std::optional<Error> client_certificate_refused(int status, std::string_view body, const std::string& object) {
    if (status != 400) return std::nullopt;
    if (body.find("No required SSL certificate was sent") != body.npos)
        return Error(ErrorKind::denied, "the server wants a client certificate (HTTP 400)", object,
                     "name one with --client-cert and --client-key");
    if (body.find("The SSL certificate error") != body.npos)
        return Error(ErrorKind::denied, "the server refuses the client certificate (HTTP 400)", object,
                     "check its dates, and that the server trusts who signed it");
    return std::nullopt;
}

uint64_t retry_after_ms_of(const net::Response& answer, int64_t now_unix_s) {
    uint64_t value = 0;
    if (to_number(answer.header("x-ms-retry-after-ms"), value)) return std::min(value, kPatienceMostS * 1000);
    const std::string_view after = answer.header("retry-after");
    if (to_number(after, value)) return std::min(value, kPatienceMostS) * 1000;
    if (const int64_t until = parse_http_date(std::string(after)); until >= 0) {
        const int64_t its_now = parse_http_date(std::string(answer.header("date")));
        const int64_t left = until - (its_now >= 0 ? its_now : now_unix_s);
        return static_cast<uint64_t>(std::clamp<int64_t>(left, 0, kPatienceMostS)) * 1000;
    }
    return answer.status() == 429 ? std::min(seconds_of_rate_limit(answer.header("ratelimit")), kPatienceMostS) * 1000
                                  : 0;
}

Result<std::pair<net::Endpoint, std::string>> split_url(const std::string& url) {
    const size_t scheme = url.find("://");
    const size_t path = scheme == url.npos ? url.npos : url.find_first_of("/?", scheme + 3);
    ZCDP_TRY(auto endpoint, net::Endpoint::parse(url.substr(0, path)));
    std::string target = path == url.npos ? "/" : url.substr(path);
    if (target[0] == '?') target.insert(0, 1, '/');
    target.resize(std::min(target.find('#'), target.size()));
    // A line break would begin a header of its own (RFC 9112 2.2); a space is what people and some servers write for
    // %20.
    if (std::any_of(target.begin(), target.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; }))
        return Error(ErrorKind::usage, "has a control byte", url.substr(0, url.find('?')), "write it URL-encoded");
    // Other letters are sent as browsers send them: by the bytes that were written.
    std::string sent;
    for (const char c : target) {
        if (c == ' ' || static_cast<unsigned char>(c) >= 0x80)
            sent += fmt::format("%{:02X}", static_cast<unsigned char>(c));
        else sent += c;
    }
    target = std::move(sent);
    return std::pair(std::move(endpoint), std::move(target));
}

}  // namespace zcdp::origin
