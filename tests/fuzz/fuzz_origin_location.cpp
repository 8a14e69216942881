// Any bytes as a SOURCE, as a person or a Dataset writes it: what is taken names a host, a bucket and a folder that can
// be sent as they are, and written down again it names the same. The first byte chooses the scheme, so that all are
// reached.
#include <boost/asio/io_context.hpp>
#include <cstdio>
#include <cstdlib>
#include <source_location>
#include <string>
#include <string_view>

#include "src/origin/azure/azure_protocol.hpp"
#include "src/origin/http/web_source.hpp"
#include "src/origin/remote/remote.hpp"
#include "src/origin/s3/address.hpp"
#include "src/origin/s3/location.hpp"
#include "zcdp/base/random.hpp"
#include "zcdp/net/endpoint.hpp"
#include "zcdp/origin/options.hpp"

using namespace zcdp;
using namespace zcdp::origin;

namespace {

constexpr const char* kBegins[] = {"s3://",
                                   "s3://arn:aws:s3:",
                                   "s3://arn:aws:s3:us-west-2:1:accesspoint/",
                                   "s3://a--b-az1--x-s3/",
                                   "gs://",
                                   "oss://",
                                   "az://",
                                   "https://account.blob.core.windows.net/",
                                   "https://",
                                   "http://",
                                   "http://host/",
                                   "https://[::1]:9/",
                                   "hf://",
                                   "hf://datasets/"};

void require(bool holds, std::source_location at = std::source_location::current()) {
    if (holds) return;
    std::fprintf(stderr, "line %u does not hold\n", static_cast<unsigned>(at.line()));
    std::abort();
}

bool is_sendable(std::string_view text) {
    for (const char c : text)
        if (c > -1 && (c <= ' ' || c == 0x7f)) return false;
    return true;
}

bool is_folder(std::string_view prefix) { return prefix.empty() || prefix.ends_with('/'); }

const Machine& machine() {
    static Metrics metrics;
    static Logger log(system_clock(), 2, LogLevel::off, LogFormat::text);
    static const Machine made{
        system_fs(), system_clock(), system_random(), metrics, log, [](const char*) { return std::string(); }};
    return made;
}

OriginOptions options() {
    OriginOptions out;
    out.anonymous = true;
    out.region = "eu-central-1";
    out.retries = 0;
    return out;
}

void is_host(const net::Endpoint& endpoint) {
    require(!endpoint.host.empty() && endpoint.port != 0 && is_sendable(endpoint.host) &&
            endpoint.host.find_first_of("/?#@\\") == std::string::npos);
    require(net::Endpoint::parse(endpoint.url()).value() == endpoint);
}

bool same(const s3::Location& a, const s3::Location& b) {
    return a.bucket == b.bucket && a.access_point == b.access_point && a.region == b.region && a.zone == b.zone &&
           a.prefix == b.prefix && a.object == b.object && a.version == b.version;
}

void s3_location(const std::string& source) {
    const auto where = s3::parse_location(source);
    if (!where) return require(where.error().kind() == ErrorKind::usage);
    require(!where->bucket.empty() && (where->version.empty() || is_folder(where->prefix)) &&
            where->object.empty() == where->version.empty());
    require(is_bucket(where->bucket) == where->access_point.empty() &&
            where->access_point.empty() == where->region.empty());
    if (!where->object.empty())
        require(where->object.starts_with(where->prefix) &&
                where->object.find('/', where->prefix.size()) == std::string::npos);
    const std::string key = where->object.empty() ? where->prefix : where->object + "?versionId=" + where->version;
    require(same(s3::parse_location("s3://" + where->bucket + "/" + key).value(), *where));
    for (const s3::Style style : {s3::Style::automatic, s3::Style::path, s3::Style::host})
        for (const char* endpoint :
             {"", "https://10.0.0.1:9000", "https://bucket.vpce-1.s3.us-east-1.vpce.amazonaws.com",
              "http://host.example/a/b"}) {
            const auto address = s3::address_of(*where, {endpoint, style, false, false}, "eu-central-1");
            if (!address) continue;
            is_host(address->endpoint);
            const std::string own =
                net::BaseUrl::parse(*endpoint ? endpoint : address->service_url).value().endpoint.host;
            require(address->endpoint.host == own ||
                    address->endpoint.host.ends_with("." + own));  // nothing in a name leads elsewhere
            require(is_sendable(address->path_prefix) && s3::is_region(address->region));
        }
}

void azure_location(const std::string& source) {
    if (!azure::is_blob_url(source)) return;
    const auto where = azure::parse_location(source);
    if (!where) return require(where.error().kind() == ErrorKind::usage);
    require(is_sendable(where->account + where->container) && !where->account.empty() && !where->container.empty());
    const auto again =
        azure::parse_location("az://" + where->account + "/" + where->container + "/" + where->prefix).value();
    require(again.account == where->account && again.container == where->container && again.prefix == where->prefix);
    if (!where->endpoint.empty()) is_host(net::Endpoint::parse(where->endpoint).value());
}

void url(const std::string& source) {
    http::WebSource shared(options(), machine());
    if (const auto taken = shared.configure_url(source); !taken)
        return require(taken.error().kind() == ErrorKind::usage);
    is_host(shared.endpoint);
    require(shared.source.find('?') == std::string::npos && is_sendable(shared.target_of("")) &&
            shared.target_of("").starts_with('/'));
    require(shared.target_of("a b\r\n?").find_first_of(" \r\n") == std::string::npos);
    require(shared.name.find('/') == std::string::npos || shared.kind == http::Kind::file);
    require((shared.kind == http::Kind::index) == shared.name.empty());
}

void repository(const std::string& source) {
    http::WebSource shared(options(), machine());
    if (const auto taken = shared.configure_repository(source); !taken)
        return require(taken.error().kind() == ErrorKind::usage);
    require(is_sendable(shared.repository) && shared.repository.find("..") == std::string::npos &&
            !shared.revision.empty() && is_folder(shared.folder));
    shared.set_commit(shared.revision);
    require(is_sendable(shared.target_of("a b\r\n?")));
}

/// What every kind must hold to: its origin says where it is, and from there the same origin can be made.
void identity(const std::string& source) {
    const auto factory = make_origin_factory(source, options(), machine());
    if (!factory) return require(factory.error().kind() == ErrorKind::usage);
    boost::asio::io_context loop;
    const OriginIdentity it = (*factory)(loop.get_executor()).value()->identity();
    is_host(net::Endpoint::parse(it.endpoint).value());
    require(!it.bucket.empty() && is_folder(it.prefix));
    const std::string scheme = source.substr(0, source.find("://") + 3);
    if (scheme != "gs://" && scheme != "oss://") return;
    require(is_bucket(it.bucket));
    const OriginIdentity again =
        (*make_origin_factory(scheme + it.bucket + "/" + it.prefix, options(), machine()))(loop.get_executor())
            .value()
            ->identity();
    require(again.endpoint == it.endpoint && again.bucket == it.bucket && again.prefix == it.prefix);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size == 0 || size > 8192) return 0;
    const std::string source =
        kBegins[data[0] % std::size(kBegins)] + std::string(reinterpret_cast<const char*>(data + 1), size - 1);
    if (source.starts_with("s3://")) s3_location(source);
    azure_location(source);
    if (source.starts_with("http")) url(source);
    if (source.starts_with("hf://")) repository(source);
    identity(source);
    return 0;
}
