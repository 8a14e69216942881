// Which requests go through which proxy.
#include "tests/support/doctest.hpp"
#include "zcdp/net/endpoint.hpp"

using namespace zcdp;
using namespace zcdp::net;

namespace {

/// "" when the endpoint is asked directly.
std::string through(const Proxies& proxies, const std::string& url) {
    const Proxy* proxy = proxies.for_endpoint(Endpoint::parse(url).value());
    return proxy ? proxy->endpoint.authority() : "";
}

}  // namespace

TEST_CASE("a proxy is written as URL or as HOST:PORT, and only http proxies are spoken") {
    CHECK(Proxy::parse("http://p:3128").value().endpoint == Endpoint{false, "p", 3128});
    CHECK(Proxy::parse("p:3128/").value().endpoint.port == 3128);
    CHECK(Proxy::parse("http://[::1]:8080").value().endpoint.host == "::1");
    CHECK(Proxy::parse("http://me:pa%3Ass%40@p:1").value().authorization == "Basic bWU6cGE6c3NA");
    CHECK(Proxy::parse("http://p:1").value().authorization.empty());
    for (const char* bad : {"https://p:1", "socks5://u:secret@p:1", "http://", "http://p:0", "http://p:1/path",
                            "http://u:secret@p:x", ""}) {
        CAPTURE(bad);
        const auto proxy = Proxy::parse(bad);
        REQUIRE(!proxy);
        CHECK(proxy.error().kind() == ErrorKind::usage);
        CHECK(proxy.error().line().find("secret") == std::string::npos);
    }
}

TEST_CASE("each scheme has its proxy") {
    const auto proxies = Proxies::parse("s:1", "p:2", "").value();
    CHECK(through(proxies, "https://example.com") == "s:1");
    CHECK(through(proxies, "http://example.com") == "p:2");
    CHECK(through(Proxies::parse("", "p:2", "").value(), "https://example.com").empty());
    CHECK(through(Proxies(), "https://example.com").empty());
}

TEST_CASE("this machine and link-local addresses are asked directly") {
    const auto proxies = Proxies::parse("s:1", "s:1", "").value();
    for (const char* url :
         {"http://127.0.0.1:9000", "http://127.8.8.8", "http://[::1]:80", "http://localhost:1", "http://x.localhost",
          "http://169.254.169.254", "http://169.254.170.23", "http://[fd00:ec2::254]"}) {
        CAPTURE(url);
        CHECK(through(proxies, url).empty());
    }
    CHECK(through(proxies, "http://128.0.0.1") == "s:1");
}

TEST_CASE("exceptions are names with all below them, addresses, ranges and ports") {
    const auto proxies =
        Proxies::parse("s:1", "s:1", "example.com, .inner.org,*.wild.net 10.0.0.0/8,one.net:8080,192.0.2.7").value();
    for (const char* url : {"https://example.com", "https://a.b.EXAMPLE.com", "https://x.inner.org",
                            "https://x.wild.net", "http://10.9.8.7", "http://one.net:8080", "http://192.0.2.7:90"}) {
        CAPTURE(url);
        CHECK(through(proxies, url).empty());
    }
    for (const char* url : {"https://notexample.com", "https://example.com.evil.org", "http://11.0.0.1",
                            "http://one.net:81", "http://192.0.2.8"}) {
        CAPTURE(url);
        CHECK(through(proxies, url) == "s:1");
    }
    CHECK(through(Proxies::parse("s:1", "", "*").value(), "https://example.com").empty());
}

TEST_CASE("addresses of IPv6 among the exceptions: as they are spelt, with brackets, with a port") {
    const auto proxies =
        Proxies::parse("s:1", "s:1", "2001:db8::7,[2001:db8::8],[2001:db8::9]:8080,2001:db8:1::/48").value();
    for (const char* url : {"http://[2001:db8::7]", "http://[2001:DB8:0:0::7]:81", "http://[2001:db8::8]",
                            "http://[2001:db8::9]:8080", "http://[2001:db8:1::5]"}) {
        CAPTURE(url);
        CHECK(through(proxies, url).empty());
    }
    for (const char* url : {"http://[2001:db8::9]:81", "http://[2001:db8::a]", "http://[2001:db8:2::5]"}) {
        CAPTURE(url);
        CHECK(through(proxies, url) == "s:1");
    }
}

TEST_CASE(
    "a proxy for all else is for what has none of its own; one of another kind is an error of what would go through "
    "it") {
    auto both = Proxies::parse("", "p:2", "direct.org").value();
    both.set_for_others("http://me:pw@a:3");
    CHECK(through(both, "https://example.com") == "a:3");
    CHECK(through(both, "http://example.com") == "p:2");
    CHECK(through(both, "https://direct.org").empty());
    CHECK(both.for_endpoint(Endpoint::parse("https://example.com").value())->authorization == "Basic bWU6cHc=");
    auto none = Proxies::parse("", "", "").value();
    none.set_for_others("a:3");
    CHECK(through(none, "https://example.com") == "a:3");
    CHECK(through(none, "http://example.com") == "a:3");
    auto socks = Proxies::parse("s:1", "", "direct.org").value();
    socks.set_for_others("socks5h://me:secret@10.0.0.1:1080");
    for (const char* url : {"https://example.com", "http://direct.org", "http://127.0.0.1:9000", "http://localhost"})
        CHECK_MESSAGE(socks.check(Endpoint::parse(url).value()), url);
    const auto refused = socks.check(Endpoint::parse("http://example.com").value());
    REQUIRE(!refused);
    CHECK(refused.error().kind() == ErrorKind::usage);
    CHECK(refused.error().line() ==
          "10.0.0.1:1080: ALL_PROXY is a proxy of a kind that zcdp does not speak (socks5h); set HTTPS_PROXY and "
          "HTTP_PROXY to an http:// proxy, or NO_PROXY, or unset ALL_PROXY");
}
