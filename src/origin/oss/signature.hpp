// Alibaba OSS Signature Version 4 in the Authorization header
// (alibabacloud.com/help/en/oss/developer-reference/recommend-to-use-signature-version-4). Pure.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace zcdp::origin::oss {

struct SigningInput {
    std::string_view method, bucket, key, region;            ///< plain; region such as cn-hangzhou
    std::vector<std::pair<std::string, std::string>> query;  ///< plain, sorted by name
    /// Those of x-oss-*, in lower case, sorted; x-oss-date among them
    std::vector<std::pair<std::string, std::string>> headers;
    std::string_view date;  ///< 20130524T000000Z
};

/// The query on the wire, which is also the canonical one: a name without a value stands without '='.
std::string query_of(const std::vector<std::pair<std::string, std::string>>& query);
/// The Authorization header's value.
std::string authorization(const SigningInput& input, std::string_view access_key, std::string_view secret_key);
/// The text whose SHA-256 is signed; for tests.
std::string canonical_request(const SigningInput& input);

}  // namespace zcdp::origin::oss
