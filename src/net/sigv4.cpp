#include "zcdp/net/sigv4.hpp"

#include <span>

namespace zcdp::net {

std::string string_to_sign(const CanonicalRequest& request, std::string_view date, std::string_view scope) {
    std::string canonical;
    canonical.reserve(512 + request.path.size() + request.query.size());
    canonical.append(request.method).append("\n").append(request.path).append("\n").append(request.query).append("\n");
    for (const auto& [name, value] : request.headers) canonical.append(name).append(":").append(value).append("\n");
    canonical.append("\n").append(request.signed_headers).append("\n").append(request.payload_sha256);

    std::string out = "AWS4-HMAC-SHA256\n";
    out.append(date).append("\n").append(scope).append("\n").append(to_hex(Sha256::of(canonical)));
    return out;
}

Sha256Bytes derived_key(std::string_view secret, std::initializer_list<std::string_view> texts) {
    Sha256Bytes key{};
    std::span<const uint8_t> with(reinterpret_cast<const uint8_t*>(secret.data()), secret.size());
    for (const std::string_view text : texts) {
        key = hmac_sha256(with, text);
        with = key;
    }
    return key;
}

Sha256Bytes sigv4_key(std::string_view secret_key, std::string_view day, std::string_view region,
                      std::string_view service) {
    return derived_key("AWS4" + std::string(secret_key), {day, region, service, "aws4_request"});
}

}  // namespace zcdp::net
