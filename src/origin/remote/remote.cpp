#include "src/origin/remote/remote.hpp"

#include "zcdp/base/ascii.hpp"
#include "zcdp/origin/metrics.hpp"

namespace zcdp::origin {
namespace {

constexpr uint32_t kConcurrencyMost = 256;

net::TlsOptions tls_options(const OriginOptions& options) {
    net::TlsOptions out;
    out.ca_bundle = options.ca_bundle;
    out.ca_pem = options.ca_pem;
    out.client_cert_pem = options.client_cert_pem;
    out.client_key_pem = options.client_key_pem;
    out.client_cert_name = options.client_cert_name;
    out.client_key_name = options.client_key_name;
    return out;
}

/// A prefix names a folder: "models/llama" must not take "models/llama-2" along.
std::string folder_of(std::string key) {
    if (!key.empty() && key.back() != '/') key += '/';
    return key;
}

}  // namespace

bool is_bucket(std::string_view name) {
    if (name.empty() || name.size() > 255) return false;
    for (const char c : name)
        if (!is_letter_or_digit(c) && c != '-' && c != '.' && c != '_') return false;
    return name != "." && name != "..";
}

Remote::Remote(std::string key, OriginOptions origin_options, Machine on)
    : object(key.ends_with('/') ? ObjectKey() : ObjectKey(key)),
      options(std::move(origin_options)),
      machine(on),
      concurrency(options.connections > 0 ? options.connections : kConcurrencyMost),
      limiter(options.bytes_per_second),
      tls(net::make_tls_context(tls_options(options))),
      requests(machine.metrics.counter(metric::requests)),
      retries(machine.metrics.counter(metric::retries)),
      hedges(machine.metrics.counter(metric::hedges)),
      bytes(machine.metrics.counter(metric::bytes)),
      folder_(folder_of(std::move(key))),
      parent_(object.str().substr(0, object.str().rfind('/') + 1)) {}

Result<> Remote::configure_network() {
    ZCDP_CHECK(net::check_client_identity(tls_options(options), machine.clock.unix_s()));
    ZCDP_TRY(address_rules, net::AddressRules::parse(options.denied_addresses));
    if (!options.source_address.empty())
        ZCDP_CHECK(net::AddressRules::parse(
            {options.source_address + (options.source_address.find(':') == std::string::npos ? "/32" : "/128")}));
    if (options.proxy.empty()) {
        ZCDP_TRY(proxies, net::Proxies::from_environment(machine.environment));
        const std::string others = machine.environment("all_proxy");
        proxies.set_for_others(others.empty() ? machine.environment("ALL_PROXY") : others);
        return {};
    }
    ZCDP_TRY(net::Proxy proxy, net::Proxy::parse(options.proxy));
    if (!options.proxy_user.empty()) proxy.set_credentials(options.proxy_user, options.proxy_password);
    proxies = net::Proxies::all_through(std::move(proxy));
    return {};
}

}  // namespace zcdp::origin
