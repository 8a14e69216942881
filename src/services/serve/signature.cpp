#include "signature.hpp"

#include <algorithm>
#include <cstdlib>

#include "uri.hpp"
#include "zcdp/base/percent.hpp"
#include "zcdp/base/clock.hpp"
#include "zcdp/base/digest.hpp"

namespace zcdp::s3door {
namespace {

constexpr int64_t kSkewMaxS = 15 * 60;

/// "Credential=…, SignedHeaders=…, Signature=…": the value of one.
std::string_view part_of(std::string_view authorization, std::string_view name) {
    const size_t at = authorization.find(std::string(name) + "=");
    if (at == authorization.npos) return {};
    const std::string_view value = authorization.substr(at + name.size() + 1);
    return value.substr(0, value.find_first_of(", "));
}

/// 20130524T000000Z as ISO 8601 has it with its marks.
int64_t unix_of(std::string_view amz) {
    if (amz.size() != 16) return -1;
    const std::string t(amz);
    return parse_iso8601(t.substr(0, 4) + "-" + t.substr(4, 2) + "-" + t.substr(6, 2) + "T" + t.substr(9, 2) + ":" +
                         t.substr(11, 2) + ":" + t.substr(13, 2) + "Z");
}

std::string canonical_query(const Query& query) {
    std::vector<std::string> pairs;
    for (const auto& [name, value] : query) {
        std::string pair;
        append_uri_encoded(pair, name, false);
        pair += '=';
        append_uri_encoded(pair, value, false);
        pairs.push_back(std::move(pair));
    }
    std::sort(pairs.begin(), pairs.end());
    std::string out;
    for (const std::string& pair : pairs) out += (out.empty() ? "" : "&") + pair;
    return out;
}

std::string canonical_request(const HttpRequest& request, const Target& target, std::string_view signed_headers) {
    std::string out = request.method + "\n";
    append_uri_encoded(out, target.path, true);
    out += "\n" + canonical_query(target.query) + "\n";
    for (std::string_view names = signed_headers; !names.empty();) {
        const size_t end = names.find(';');
        const std::string_view name = names.substr(0, end);
        out.append(name).append(":").append(request.header(name)).append("\n");
        names = end == names.npos ? std::string_view() : names.substr(end + 1);
    }
    out += "\n" + std::string(signed_headers) + "\n";
    const std::string_view payload = request.header("x-amz-content-sha256");
    return out.append(payload.empty() ? "UNSIGNED-PAYLOAD" : payload);
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
    if (a.size() != b.size()) return false;
    unsigned difference = 0;
    for (size_t i = 0; i < a.size(); ++i) difference |= static_cast<unsigned char>(a[i] ^ b[i]);
    return difference == 0;
}

}  // namespace

SignatureVerdict check_signature(const HttpRequest& request, const KeyPair& keys, int64_t now_unix_s) {
    const std::string_view authorization = request.header("authorization");
    if (!authorization.starts_with("AWS4-HMAC-SHA256 ")) return SignatureVerdict::missing;
    const std::string_view credential = part_of(authorization, "Credential");
    const std::string_view signed_headers = part_of(authorization, "SignedHeaders");
    const std::string_view signature = part_of(authorization, "Signature");
    const size_t slash = credential.find('/');
    if (slash == credential.npos || credential.substr(0, slash) != keys.access_key) return SignatureVerdict::unknown_key;
    const std::string_view scope = credential.substr(slash + 1);
    const std::string_view date = request.header("x-amz-date");
    const int64_t when = unix_of(date);
    if (when < 0 || std::abs(when - now_unix_s) > kSkewMaxS) return SignatureVerdict::skewed;
    const auto target = parse_target(request.target);
    if (!target || scope.size() < 9 || scope.substr(0, 8) != date.substr(0, 8)) return SignatureVerdict::wrong;
    const bool host_signed = (";" + std::string(signed_headers) + ";").find(";host;") != std::string::npos;
    if (!host_signed || !scope.ends_with("/s3/aws4_request")) return SignatureVerdict::wrong;

    std::string to_sign = "AWS4-HMAC-SHA256\n" + std::string(date) + "\n" + std::string(scope) + "\n";
    to_sign += to_hex(Sha256::of(canonical_request(request, *target, signed_headers)));
    const std::string_view region = scope.substr(9, scope.find('/', 9) - 9);
    const std::string first = "AWS4" + keys.secret_key;
    Sha256Bytes key = hmac_sha256({reinterpret_cast<const uint8_t*>(first.data()), first.size()}, scope.substr(0, 8));
    key = hmac_sha256(key, region);
    key = hmac_sha256(key, "s3");
    key = hmac_sha256(key, "aws4_request");
    return equal_in_constant_time(to_hex(hmac_sha256(key, to_sign)), signature) ? SignatureVerdict::right
                                                                                 : SignatureVerdict::wrong;
}

}  // namespace zcdp::s3door
