#include "src/origin/s3/sigv4.hpp"

#include <algorithm>

#include "zcdp/net/sigv4.hpp"

namespace zcdp::origin::s3 {

const Sha256Bytes& Signer::signing_key(const SigningInput& input, const Credentials& credentials) {
    const std::string_view day = input.amz_date.substr(0, 8);
    std::string wanted;
    wanted.append(day).append("\n").append(input.region).append("\n").append(input.service).append("\n");
    wanted.append(credentials.secret_key);
    if (wanted == key_for_) return key_;
    key_ = net::sigv4_key(credentials.secret_key, day, input.region, input.service);
    key_for_ = std::move(wanted);
    return key_;
}

std::string Signer::authorization(const SigningInput& input, const Credentials& credentials) {
    std::vector<std::pair<std::string_view, std::string_view>> headers{{"host", input.host}};
    if (input.service == "s3" || !input.payload_sha256.empty())
        headers.emplace_back("x-amz-content-sha256", input.payload_sha256);
    headers.emplace_back("x-amz-date", input.amz_date);
    if (!credentials.session_token.empty()) headers.emplace_back("x-amz-security-token", credentials.session_token);
    for (const auto& [name, value] : input.extra_headers) headers.emplace_back(name, value);
    std::sort(headers.begin(), headers.end());

    std::string names;
    for (const auto& [name, value] : headers) names.append(names.empty() ? "" : ";").append(name);

    std::string scope;
    scope.append(input.amz_date.substr(0, 8)).append("/").append(input.region).append("/").append(input.service);
    scope.append("/aws4_request");
    const net::CanonicalRequest request{input.method,       input.path, input.query,
                                        std::move(headers), names,      input.payload_sha256};
    const std::string signature =
        to_hex(hmac_sha256(signing_key(input, credentials), net::string_to_sign(request, input.amz_date, scope)));
    return "AWS4-HMAC-SHA256 Credential=" + credentials.access_key + "/" + scope + ",SignedHeaders=" + names +
           ",Signature=" + signature;
}

}  // namespace zcdp::origin::s3
