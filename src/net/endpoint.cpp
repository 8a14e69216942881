#include <charconv>

#include "zcdp/base/ascii.hpp"
#include "zcdp/base/percent.hpp"
#include "zcdp/net/endpoint.hpp"
#include "zcdp/net/listen.hpp"

namespace zcdp::net {
namespace {

uint16_t default_port(bool tls) { return tls ? 443 : 80; }

Error no_endpoint(std::string_view url) {
    return Error(ErrorKind::usage, "is no endpoint", std::string(url), "write http://HOST:PORT or https://HOST:PORT");
}

std::string bracketed(const std::string& host) { return host.find(':') == std::string::npos ? host : "[" + host + "]"; }

bool is_ascii(std::string_view text) {
    for (const char c : text)
        if (static_cast<unsigned char>(c) >= 0x80) return false;
    return true;
}

bool host_is_plain(std::string_view host) {
    if (host.empty() || host.size() > 253) return false;
    for (const char c : host)
        if (!is_letter_or_digit(c) && c != '-' && c != '.' && c != '_') return false;
    return true;
}

bool host_is_ipv6(std::string_view host) {
    return host.find(':') != host.npos && host.find_first_not_of("0123456789abcdefABCDEF:.%") == host.npos;
}

/// Takes "https://" or "http://" off, in any case. Whether it was there.
bool take_scheme(std::string_view& url, bool& tls) {
    for (const std::string_view scheme : {"https://", "http://"}) {
        if (to_lower(url.substr(0, scheme.size())) != scheme) continue;
        tls = scheme == "https://";
        url.remove_prefix(scheme.size());
        return true;
    }
    return false;
}

/// A path as it is sent: what has a meaning in URLs stays (RFC 3986 3.3), what may not stand there is encoded. Not for
/// one with a query, a fragment, a control byte, or a segment that climbs.
std::optional<std::string> base_path(std::string_view path) {
    if (path.find_first_of("?#") != path.npos) return std::nullopt;
    for (size_t begin = 0; begin < path.size();) {
        const size_t end = std::min(path.find('/', begin), path.size());
        std::string segment(path.substr(begin, end - begin));
        if (!percent_decode(segment, false) || segment == "." || segment == "..") return std::nullopt;
        begin = end + 1;
    }
    std::string out;
    for (const char c : path) {
        if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) return std::nullopt;
        if (std::string_view("!$&'()*+,;=:@%/").find(c) != std::string_view::npos) out += c;
        else append_uri_encoded(out, std::string_view(&c, 1), true);
    }
    while (out.ends_with('/')) out.pop_back();
    return out;
}

}  // namespace

std::string Endpoint::authority() const { return port == default_port(tls) ? bracketed(host) : host_and_port(); }

std::string Endpoint::host_and_port() const { return bracketed(host) + ":" + std::to_string(port); }

bool Endpoint::is_numeric() const {
    return host.find(':') != std::string::npos || host.find_first_not_of("0123456789.") == std::string::npos;
}

bool Endpoint::is_loopback() const {
    return host == "localhost" || (is_numeric() && (host.starts_with("127.") || host == "::1"));
}

std::string Endpoint::url() const { return (tls ? "https://" : "http://") + authority(); }

Result<Endpoint> Endpoint::parse(std::string_view url) {
    Endpoint endpoint;
    std::string_view rest = url;
    if (!take_scheme(rest, endpoint.tls)) return no_endpoint(url);
    if (rest.ends_with('/')) rest.remove_suffix(1);
    std::string_view port;
    if (rest.starts_with('[')) {
        const size_t close = rest.find(']');
        if (close == rest.npos || !host_is_ipv6(rest.substr(1, close - 1))) return no_endpoint(url);
        endpoint.host = rest.substr(1, close - 1);
        port = rest.substr(close + 1);
    } else {
        const size_t colon = rest.find(':');
        endpoint.host = to_lower(rest.substr(0, colon));
        if (!is_ascii(endpoint.host))
            return Error(ErrorKind::usage, "has a host name that is not ASCII", std::string(url),
                         "write its ASCII form: xn--…");
        if (!host_is_plain(endpoint.host)) return no_endpoint(url);
        if (colon != rest.npos) port = rest.substr(colon);
    }
    endpoint.port = default_port(endpoint.tls);
    if (!port.empty()) {
        if (port[0] != ':') return no_endpoint(url);
        const auto [end, error] = std::from_chars(port.data() + 1, port.data() + port.size(), endpoint.port);
        if (error != std::errc() || end != port.data() + port.size() || endpoint.port == 0) return no_endpoint(url);
    }
    return endpoint;
}

Result<BaseUrl> BaseUrl::parse(std::string_view url) {
    const Error wrong(ErrorKind::usage, "is no endpoint", std::string(url.substr(0, url.find('?'))),
                      "write https://HOST:PORT or https://HOST:PORT/PATH");
    std::string_view rest = url;
    bool tls = false;
    if (!take_scheme(rest, tls)) return wrong;
    const size_t end = url.size() - rest.size() + std::min(rest.find_first_of("/?#"), rest.size());
    auto endpoint = Endpoint::parse(url.substr(0, end));
    auto path = base_path(url.substr(end));
    if (!endpoint || !path) return wrong;
    return BaseUrl{std::move(*endpoint), std::move(*path)};
}

Result<Listen> Listen::parse(const std::string& text) {
    const Error wrong(ErrorKind::usage, "is no address", text, "write ADDRESS:PORT with a numeric address");
    const size_t colon = text.rfind(':');
    if (colon == std::string::npos) return wrong;
    Listen out{text.substr(0, colon), 0};
    if (out.host.starts_with('[') && out.host.ends_with(']')) out.host = out.host.substr(1, out.host.size() - 2);
    const char* end = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data() + colon + 1, end, out.port);
    if (error != std::errc() || at != end) return wrong;
    return out;
}

}  // namespace zcdp::net
