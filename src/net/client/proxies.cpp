#include <algorithm>
#include <charconv>

#include "zcdp/base/ascii.hpp"
#include "zcdp/base/base64.hpp"
#include "zcdp/base/percent.hpp"
#include "zcdp/net/endpoint.hpp"

namespace zcdp::net {
namespace {

/// This machine, and the services that hand out a machine's own credentials: a proxy elsewhere cannot mean the same.
const std::vector<std::string> kAlwaysDirect{"127.0.0.0/8", "::1/128", "169.254.0.0/16", "fe80::/10", "fd00:ec2::/32"};

/// As it stands where it is not encoded.
std::string percent_decoded(std::string_view text) {
    std::string out(text);
    return percent_decode(out, false) ? out : std::string(text);
}

/// The words of a list that commas or spaces separate.
std::vector<std::string> words(std::string_view list) {
    std::vector<std::string> out;
    for (size_t begin = 0; begin < list.size();) {
        const size_t end = std::min(list.find_first_of(", \t", begin), list.size());
        if (end > begin) out.push_back(to_lower(list.substr(begin, end - begin)));
        begin = end + 1;
    }
    return out;
}

/// An address alone as the range of it, however it is spelt; in brackets, too.
std::string range_of(std::string word) {
    if (word.find('/') != word.npos) return word;
    if (word.starts_with('[') && word.ends_with(']')) word = word.substr(1, word.size() - 2);
    return word + (word.find(':') == word.npos ? "/32" : "/128");
}

/// "NAME:PORT" and "[ADDRESS]:PORT" without the port; false when it is another port than `port`.
bool take_port(std::string_view& name, uint16_t port) {
    const bool bracketed = name.starts_with('[');
    const size_t colon = bracketed ? name.find("]:") : name.find(':');
    if (colon == name.npos || (!bracketed && name.rfind(':') != colon)) return true;
    if (name.substr(colon + (bracketed ? 2 : 1)) != std::to_string(port)) return false;
    name = bracketed ? name.substr(1, colon - 1) : name.substr(0, colon);
    return true;
}

}  // namespace

Result<Proxy> Proxy::parse(std::string_view url) {
    const std::string hint = "write http://[USER:PASSWORD@]HOST:PORT";
    const std::string shown(url.substr(url.rfind('@') == url.npos ? 0 : url.rfind('@') + 1));  // never a password
    if (const size_t end = url.find("://"); end != url.npos) {  // without a scheme: "proxy:3128", as curl takes it
        const std::string scheme = to_lower(url.substr(0, end));
        if (scheme != "http")
            return Error(ErrorKind::usage, "is a proxy of a kind that zcdp does not speak (" + printable(scheme) + ")",
                         shown, hint);
        url.remove_prefix(end + 3);
    }
    Proxy out;
    if (const size_t at = url.rfind('@'); at != url.npos) {
        out.authorization = "Basic " + to_base64(percent_decoded(url.substr(0, at)));
        url.remove_prefix(at + 1);
    }
    auto endpoint = Endpoint::parse("http://" + std::string(url));
    if (!endpoint) return Error(ErrorKind::usage, "is no proxy", shown, hint);
    out.endpoint = std::move(*endpoint);
    return out;
}

void Proxy::set_credentials(std::string_view user, std::string_view password) {
    authorization = "Basic " + to_base64(std::string(user) + ":" + std::string(password));
}

Proxies Proxies::all_through(Proxy proxy) {
    Proxies out;
    out.for_https_ = out.for_http_ = std::move(proxy);
    out.direct_ranges_ = AddressRules::parse(kAlwaysDirect).value();
    return out;
}

Result<Proxies> Proxies::parse(const std::string& https_proxy, const std::string& http_proxy,
                               const std::string& no_proxy) {
    Proxies out;
    if (!https_proxy.empty()) {
        ZCDP_TRY(out.for_https_, Proxy::parse(https_proxy));
    }
    if (!http_proxy.empty()) {
        ZCDP_TRY(out.for_http_, Proxy::parse(http_proxy));
    }
    std::vector<std::string> direct = kAlwaysDirect;
    for (const std::string& word : words(no_proxy)) {
        const std::string range = range_of(word);
        if (AddressRules::parse({range})) direct.push_back(range);
        else out.direct_names_.push_back(word);
    }
    ZCDP_TRY(out.direct_ranges_, AddressRules::parse(direct));
    return out;
}

Result<Proxies> Proxies::from_environment(std::string (*environment)(const char* name)) {
    const auto either = [&](const char* small, const char* large) {
        const std::string value = environment(small);
        return value.empty() ? environment(large) : value;
    };
    return parse(either("https_proxy", "HTTPS_PROXY"), either("http_proxy", "HTTP_PROXY"),
                 either("no_proxy", "NO_PROXY"));
}

void Proxies::set_for_others(const std::string& all_proxy) {
    if (all_proxy.empty() || (for_https_ && for_http_)) return;
    auto proxy = Proxy::parse(all_proxy);
    if (!proxy) {
        for_others_wrong_ =
            Error(ErrorKind::usage, "ALL_PROXY " + proxy.error().what(), proxy.error().object(),
                  "set HTTPS_PROXY and HTTP_PROXY to an http:// proxy, or NO_PROXY, or unset ALL_PROXY");
        return;
    }
    if (!for_https_) for_https_ = *proxy;
    if (!for_http_) for_http_ = std::move(*proxy);
}

Result<> Proxies::check(const Endpoint& endpoint) const {
    const bool has_own = endpoint.tls ? for_https_.has_value() : for_http_.has_value();
    if (for_others_wrong_ && !has_own && !is_direct(endpoint)) return *for_others_wrong_;
    return {};
}

const Proxy* Proxies::for_endpoint(const Endpoint& endpoint) const {
    const std::optional<Proxy>& proxy = endpoint.tls ? for_https_ : for_http_;
    return proxy && !is_direct(endpoint) ? &*proxy : nullptr;
}

bool Proxies::is_direct(const Endpoint& endpoint) const {
    const std::string host = to_lower(endpoint.host);
    if (host == "localhost" || host.ends_with(".localhost")) return true;
    if (endpoint.is_numeric() && !direct_ranges_.allows(host)) return true;
    for (std::string_view name : direct_names_) {
        if (name == "*") return true;
        if (!take_port(name, endpoint.port)) continue;
        if (name.starts_with("*.")) name.remove_prefix(1);
        if (name == host) return true;
        const std::string suffix = name.starts_with('.') ? std::string(name) : "." + std::string(name);
        if (host.ends_with(suffix)) return true;
    }
    return false;
}

}  // namespace zcdp::net
