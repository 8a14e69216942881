// Checks a request's SigV4 Authorization header (docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html).
// Pure.
#pragma once

#include <cstdint>
#include <string>

#include "http_request.hpp"

namespace zcdp::s3door {

struct KeyPair {
    std::string access_key, secret_key;
};

enum class SignatureVerdict { right, missing, unknown_key, wrong, skewed };

/// The request's time may differ from `now_unix_s` by 15 minutes. The payload's hash is taken as stated: there are no
/// bodies here.
SignatureVerdict check_signature(const HttpRequest& request, const KeyPair& keys, int64_t now_unix_s);

}  // namespace zcdp::s3door
