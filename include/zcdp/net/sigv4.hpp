// AWS Signature Version 4 (docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html): what
// he who signs (origins) and he who checks (`zcdp serve`) compute alike. Pure.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "zcdp/base/digest.hpp"

namespace zcdp::net {

/// A request as it is signed.
struct CanonicalRequest {
    /// The path percent-encoded, the query encoded and sorted.
    std::string_view method, path, query;
    /// Those that are signed, in the order of `signed_headers`.
    std::vector<std::pair<std::string_view, std::string_view>> headers;
    /// Their names in lower case, with ';' between them.
    std::string_view signed_headers;
    /// In hex, or UNSIGNED-PAYLOAD.
    std::string_view payload_sha256;
};

/// What the signing key signs: `date` is 20130524T000000Z, `scope` is "20130524/REGION/SERVICE/aws4_request".
std::string string_to_sign(const CanonicalRequest& request, std::string_view date, std::string_view scope);

/// HMAC-SHA-256 of each text with the key that the one before it gave; the first key is `secret`.
Sha256Bytes derived_key(std::string_view secret, std::initializer_list<std::string_view> texts);

/// The key of one day (20130524), region and service.
Sha256Bytes sigv4_key(std::string_view secret_key, std::string_view day, std::string_view region,
                      std::string_view service);

}  // namespace zcdp::net
