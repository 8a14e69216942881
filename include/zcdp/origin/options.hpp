// What a person can say about an origin, and the URL forms: docs/origins.md.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "zcdp/base/machine.hpp"
#include "zcdp/origin/origin.hpp"

namespace zcdp::origin {

struct OriginOptions {
    /// S3: "http[s]://host[:port]"; empty: $AWS_ENDPOINT_URL_S3, $AWS_ENDPOINT_URL, profile, AWS's
    std::string endpoint;
    std::string region;       ///< empty: $AWS_REGION, $AWS_DEFAULT_REGION, profile, discovered from the bucket
    std::string profile;      ///< empty: $AWS_PROFILE, "default"
    bool path_style = false;  ///< forced for IP addresses, localhost and bucket names with dots over TLS
    /// S3: the bucket in the host of any endpoint; without either flag the profile says it, or the service
    bool virtual_host = false;
    bool anonymous = false;
    bool request_payer = false;  ///< S3: who asks pays for the requests
    /// Google: the project that pays for the requests; "": the one that the credentials name
    std::string billing_project;
    bool dual_stack = false;     ///< S3: AWS's hosts that have IPv6 addresses as well ($AWS_USE_DUALSTACK_ENDPOINT)
    std::string sse_c_key;       ///< S3: the 32 bytes that the objects were encrypted with (SSE-C)
    std::string source_address;  ///< the local address that connections come from; "": the system's choice
    std::string ca_bundle;       ///< PEM file
    std::string ca_pem;          ///< PEM text, instead of a file
    /// Credentials by the names of the environment variables that hold them elsewhere (credential_names()). When there
    /// are any, the environment, files and metadata services are not asked.
    std::map<std::string, std::string> credentials;
    bool follow_symlinks = false;  ///< a local directory: what symlinks lead to instead of them, also outside of it
    std::string sha256;            ///< a single file's digest as hex, which its bytes must have
    /// Who we are, for servers that ask (TLS); the key may be beside the certificate
    std::string client_cert_pem, client_key_pem;
    std::string client_cert_name, client_key_name;  ///< their files, for errors
    std::string proxy;  ///< [http://]HOST:PORT for all requests; empty: $HTTPS_PROXY, $HTTP_PROXY, $NO_PROXY
    std::string proxy_user, proxy_password;     ///< for `proxy`
    std::vector<std::string> denied_addresses;  ///< CIDRs that the endpoint's name must not resolve to
    uint32_t connections = 0;                   ///< 0: chosen
    uint32_t retries = 8;                       ///< attempts after the first, per request
    bool retries_are_given = false;  ///< somebody asked for `retries`: the AWS settings' attempts do not count
    uint64_t timeout_ms = 60'000;    ///< one request, header to last byte, on top of the minimum rate
    uint64_t bytes_per_second = 0;   ///< 0: no limit; all loops together
    uint64_t objects_max = 0;        ///< 0: 100 million
};

/// Every name that OriginOptions::credentials may have: AWS_ACCESS_KEY_ID, AZURE_STORAGE_KEY, …
const std::vector<std::string>& credential_names();
/// One of the given credentials; when none at all are given, the environment's; without the white space around it. ""
/// when there is none. Errors: usage (control characters inside; the error names it and never shows its value).
Result<std::string> credential(const OriginOptions& options, const Machine& machine, const std::string& name);

/// The secret `name` as it counts: without the white space around it. The error names `name` and never shows the value.
/// Pure. Errors: usage (control characters inside).
Result<std::string> clean_secret(std::string_view given, const std::string& name);

/// A SOURCE as it may be shown and kept: a web address without its query, which may be what gives the right to read.
std::string shown_source(const std::string& source);

/// The factory for a SOURCE as written by a person. Errors: usage (no such scheme, malformed).
Result<OriginFactory> make_origin_factory(const std::string& source, const OriginOptions& options, Machine machine);

}  // namespace zcdp::origin
