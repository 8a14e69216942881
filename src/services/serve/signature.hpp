// Checks a request's SigV4 signature, in its Authorization header or in its query: a presigned URL
// (docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html and sigv4-query-string-auth.html). Pure.
#pragma once

#include <cstdint>
#include <string>

#include "zcdp/net/server.hpp"

namespace zcdp::services::serve {

struct KeyPair {
    std::string access_key, secret_key;
};

enum class SignatureVerdict { right, missing, unknown_key, wrong, skewed, expired };

/// The request's time may differ from `now_unix_s` by 15 minutes; a presigned one holds as long as it says, a week at
/// most. The payload's hash is taken as stated: there are no bodies here.
SignatureVerdict check_signature(const net::server::Request& request, const KeyPair& keys, int64_t now_unix_s);

}  // namespace zcdp::services::serve
