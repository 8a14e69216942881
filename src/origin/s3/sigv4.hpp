// AWS Signature Version 4 for S3, in the Authorization header
// (docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html). Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "zcdp/base/digest.hpp"

namespace zcdp::origin::s3 {

/// Who asks. Never logged, never part of an error.
struct Credentials {
    std::string access_key, secret_key, session_token;
    int64_t expires_unix_s = 0;  ///< 0: never
    bool anonymous() const { return access_key.empty(); }
    /// Tells these from those that follow them. Secret, for a token is in it.
    std::string id() const { return access_key + " " + session_token; }
};

/// What is signed, in canonical form already.
struct SigningInput {
    std::string_view method, host, path, query;  ///< path percent-encoded; query sorted and encoded
    std::string_view region, service = "s3";
    std::string_view amz_date;                                       ///< 20130524T000000Z
    std::string_view payload_sha256;                                 ///< hex, or UNSIGNED-PAYLOAD
    std::vector<std::pair<std::string, std::string>> extra_headers;  ///< to be signed too; names in lower case, sorted
};

/// Keeps the day's signing key: four HMACs that hold for all requests of a day.
class Signer {
  public:
    /// The Authorization header's value. Signs host, x-amz-content-sha256, x-amz-date, x-amz-security-token if there is
    /// one, and the extra headers.
    std::string authorization(const SigningInput& input, const Credentials& credentials);

  private:
    const Sha256Bytes& signing_key(const SigningInput& input, const Credentials& credentials);
    std::string key_for_;
    Sha256Bytes key_{};
};

/// SHA-256 of no bytes, in hex.
inline constexpr std::string_view kEmptySha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

}  // namespace zcdp::origin::s3
