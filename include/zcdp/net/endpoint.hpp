// Where requests go, which addresses they may reach, and through which proxy. Thread rule: values.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "zcdp/base/error.hpp"

namespace zcdp::net {

/// Where requests go: scheme, host and port of a URL.
struct Endpoint {
    bool tls = false;
    std::string host;  ///< a name, an IPv4 address, or an IPv6 address without brackets
    uint16_t port = 0;
    std::string tls_name = {};  ///< the server's certificate has to have this DNS name; "": the host's

    /// "http://host:port", the port left out when it is the scheme's own.
    std::string url() const;
    /// The Host header's value.
    std::string authority() const;
    /// "host:port", the port always there, IPv6 in brackets.
    std::string host_and_port() const;
    /// Whether the host is an address, not a name.
    bool is_numeric() const;
    /// Whether the host is loopback: "localhost", 127.0.0.0/8 or ::1, and not a name that begins with "127.".
    bool is_loopback() const;
    /// From "http[s]://host[:port][/]"; no user info, no query, no path but "/". Scheme and host in any case.
    static Result<Endpoint> parse(std::string_view url);
    bool operator==(const Endpoint&) const = default;
};

/// Where a service lies: an endpoint, and the path below which all of it is (a gateway's, a company's mirror's).
/// Targets are `path` + the service's own path, and what is signed is that whole path, as it is sent.
struct BaseUrl {
    Endpoint endpoint;
    std::string path;  ///< "" or "/a/b": percent-encoded, with no '/' at its end

    /// "http://host:port/a/b"; what names the service in an OriginIdentity and in messages.
    std::string url() const { return endpoint.url() + path; }
    /// From "http[s]://host[:port][/path][/]"; no user info, no query, no fragment, no "." or ".." in the path. What
    /// may not stand in a path is encoded, what is encoded stays so. Errors: usage.
    static Result<BaseUrl> parse(std::string_view url);
    bool operator==(const BaseUrl&) const = default;
};

/// Addresses that a name must not resolve to: what keeps a user's endpoint from reaching the node's metadata service or
/// the cluster's insides. Checked for every address of every connection, so a name that changes does not get around it.
class AddressRules {
  public:
    /// From CIDRs such as "169.254.0.0/16" and "fd00::/8". IPv4 in IPv6 (::ffff:a.b.c.d) counts as IPv4. Errors: usage.
    static Result<AddressRules> parse(const std::vector<std::string>& denied);
    bool allows(const std::string& address) const;

  private:
    struct Range {
        std::array<uint8_t, 16> bytes;  ///< IPv4 as ::ffff:a.b.c.d
        unsigned bits;
    };
    std::vector<Range> denied_;
};

/// An HTTP proxy that connections go through.
struct Proxy {
    Endpoint endpoint;
    std::string authorization;  ///< the Proxy-Authorization header's value; "" without credentials

    /// From "[http://][USER:PASSWORD@]HOST:PORT". Errors: usage (also for https:// and socks proxies); none shows a
    /// password.
    static Result<Proxy> parse(std::string_view url);
    void set_credentials(std::string_view user, std::string_view password);
};

/// Which requests go through which proxy, as curl and Go read the variables of that name: https endpoints by CONNECT,
/// http ones in absolute form (RFC 9112 3.2.2). This machine and link-local addresses are always asked directly.
class Proxies {
  public:
    /// The proxies for https and for http endpoints, "" for none. `no_proxy`: names (with everything below them),
    /// addresses, CIDRs, NAME:PORT, or "*". Errors: usage.
    static Result<Proxies> parse(const std::string& https_proxy, const std::string& http_proxy,
                                 const std::string& no_proxy);
    /// From https_proxy, http_proxy and no_proxy, or the same in capitals. Errors: usage.
    static Result<Proxies> from_environment(std::string (*environment)(const char* name));
    /// For what has no proxy of its own, as curl reads all_proxy (Go does not). One that cannot be used (most are
    /// socks) is an error of the endpoints that it would be for, not of those that go directly.
    void set_for_others(const std::string& all_proxy);
    /// Whether `endpoint` can be asked. Errors: usage, what set_for_others() was given.
    Result<> check(const Endpoint& endpoint) const;
    /// Every request goes through this one, but those that always go directly.
    static Proxies all_through(Proxy proxy);
    /// nullptr: directly.
    const Proxy* for_endpoint(const Endpoint& endpoint) const;

  private:
    bool is_direct(const Endpoint& endpoint) const;
    std::optional<Proxy> for_https_, for_http_;
    std::optional<Error> for_others_wrong_;  ///< for what has no proxy of its own
    AddressRules direct_ranges_;
    std::vector<std::string> direct_names_;
};

}  // namespace zcdp::net
