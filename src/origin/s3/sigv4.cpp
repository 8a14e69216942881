#include "src/origin/s3/sigv4.hpp"

#include <algorithm>

#include "src/origin/remote/answers.hpp"

namespace zcdp::origin::s3 {

const Sha256Bytes& Signer::signing_key(const SigningInput& input, const Credentials& credentials) {
    const std::string_view day = input.amz_date.substr(0, 8);
    std::string wanted;
    wanted.append(day).append("\n").append(input.region).append("\n").append(input.service).append("\n");
    wanted.append(credentials.secret_key);
    if (wanted == key_for_) return key_;
    const std::string first = "AWS4" + credentials.secret_key;
    key_ = hmac_sha256({reinterpret_cast<const uint8_t*>(first.data()), first.size()}, day);
    key_ = hmac_sha256(key_, input.region);
    key_ = hmac_sha256(key_, input.service);
    key_ = hmac_sha256(key_, "aws4_request");
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

    std::string names, canonical;
    canonical.reserve(512 + input.path.size() + input.query.size());
    canonical.append(input.method).append("\n").append(input.path).append("\n").append(input.query).append("\n");
    for (const auto& [name, value] : headers) {
        canonical.append(name).append(":").append(value).append("\n");
        names.append(names.empty() ? "" : ";").append(name);
    }
    canonical.append("\n").append(names).append("\n").append(input.payload_sha256);

    std::string scope;
    scope.append(input.amz_date.substr(0, 8)).append("/").append(input.region).append("/").append(input.service);
    scope.append("/aws4_request");
    std::string to_sign = "AWS4-HMAC-SHA256\n";
    to_sign.append(input.amz_date).append("\n").append(scope).append("\n").append(to_hex(Sha256::of(canonical)));
    const std::string signature = to_hex(hmac_sha256(signing_key(input, credentials), to_sign));
    return "AWS4-HMAC-SHA256 Credential=" + credentials.access_key + "/" + scope + ",SignedHeaders=" + names +
           ",Signature=" + signature;
}

}  // namespace zcdp::origin::s3
