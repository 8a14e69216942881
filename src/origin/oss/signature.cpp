#include "src/origin/oss/signature.hpp"

#include "zcdp/base/digest.hpp"
#include "zcdp/base/percent.hpp"
#include "zcdp/net/sigv4.hpp"

namespace zcdp::origin::oss {

std::string query_of(const std::vector<std::pair<std::string, std::string>>& query) {
    std::string out;
    for (const auto& [name, value] : query) {
        if (!out.empty()) out += '&';
        out += uri_encode(name, false);
        if (!value.empty()) out += "=" + uri_encode(value, false);
    }
    return out;
}

/// The path always names the bucket, also where the host does; nothing but x-oss-* headers is signed.
std::string canonical_request(const SigningInput& input) {
    std::string text(input.method);
    text.append("\n/")
        .append(uri_encode(input.bucket, false))
        .append("/")
        .append(uri_encode(input.key, true))
        .append("\n")
        .append(query_of(input.query))
        .append("\n");
    for (const auto& [name, value] : input.headers) text.append(name).append(":").append(value).append("\n");
    return text + "\n\nUNSIGNED-PAYLOAD";
}

std::string authorization(const SigningInput& input, std::string_view access_key, std::string_view secret_key) {
    const std::string day(input.date.substr(0, 8));
    const std::string scope = day + "/" + std::string(input.region) + "/oss/aliyun_v4_request";
    const Sha256Bytes key =
        net::derived_key("aliyun_v4" + std::string(secret_key), {day, input.region, "oss", "aliyun_v4_request"});
    const std::string to_sign = "OSS4-HMAC-SHA256\n" + std::string(input.date) + "\n" + scope + "\n" +
                                to_hex(Sha256::of(canonical_request(input)));
    return "OSS4-HMAC-SHA256 Credential=" + std::string(access_key) + "/" + scope +
           ",Signature=" + to_hex(hmac_sha256(key, to_sign));
}

}  // namespace zcdp::origin::oss
