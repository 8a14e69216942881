#include <charconv>

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
    for (const char c : host) {
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && c != '-' && c != '.' && c != '_') return false;
    }
    return true;
}

bool host_is_ipv6(std::string_view host) {
    return host.find(':') != host.npos && host.find_first_not_of("0123456789abcdefABCDEF:.%") == host.npos;
}

}  // namespace

std::string Endpoint::authority() const { return port == default_port(tls) ? bracketed(host) : host_and_port(); }

std::string Endpoint::host_and_port() const { return bracketed(host) + ":" + std::to_string(port); }

bool Endpoint::is_numeric() const {
    return host.find(':') != std::string::npos || host.find_first_not_of("0123456789.") == std::string::npos;
}

bool Endpoint::is_loopback() const { return host == "localhost" || (is_numeric() && (host.starts_with("127.") || host == "::1")); }

std::string Endpoint::url() const { return (tls ? "https://" : "http://") + authority(); }

Result<Endpoint> Endpoint::parse(std::string_view url) {
    Endpoint endpoint;
    std::string_view rest = url;
    if (rest.starts_with("https://")) {
        endpoint.tls = true;
        rest.remove_prefix(8);
    } else if (rest.starts_with("http://")) {
        rest.remove_prefix(7);
    } else {
        return no_endpoint(url);
    }
    if (rest.ends_with('/')) rest.remove_suffix(1);
    std::string_view port;
    if (rest.starts_with('[')) {
        const size_t close = rest.find(']');
        if (close == rest.npos || !host_is_ipv6(rest.substr(1, close - 1))) return no_endpoint(url);
        endpoint.host = rest.substr(1, close - 1);
        port = rest.substr(close + 1);
    } else {
        const size_t colon = rest.find(':');
        endpoint.host = rest.substr(0, colon);
        if (!is_ascii(endpoint.host)) return Error(ErrorKind::usage, "has a host name that is not ASCII", std::string(url), "write its ASCII form: xn--…");
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
