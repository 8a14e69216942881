#include "src/services/serve/signature.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include "src/services/serve/uri.hpp"
#include "zcdp/base/clock.hpp"
#include "zcdp/base/digest.hpp"
#include "zcdp/base/percent.hpp"
#include "zcdp/net/sigv4.hpp"

namespace zcdp::services::serve {
namespace {

constexpr int64_t kSkewMaxS = 15 * 60, kPresignedMaxS = 7 * 24 * 3600;

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

/// What a request says about its own signature.
struct Claim {
    std::string access_key, scope, date, signed_headers, signature, payload;
    Query query;          ///< what is signed of it
    int64_t lasts_s = 0;  ///< presigned: since `date`; 0: in a header
};

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

std::vector<std::pair<std::string_view, std::string_view>> headers_of(const net::server::Request& request,
                                                                      std::string_view names) {
    std::vector<std::pair<std::string_view, std::string_view>> out;
    while (!names.empty()) {
        const size_t end = names.find(';');
        const std::string_view name = names.substr(0, end);
        out.emplace_back(name, request.header(name));
        names = end == names.npos ? std::string_view() : names.substr(end + 1);
    }
    return out;
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
    if (a.size() != b.size()) return false;
    unsigned difference = 0;
    for (size_t i = 0; i < a.size(); ++i) difference |= static_cast<unsigned char>(a[i] ^ b[i]);
    return difference == 0;
}

std::optional<Claim> claim_in_header(const net::server::Request& request, const Target& target) {
    const std::string_view authorization = request.header("authorization");
    if (!authorization.starts_with("AWS4-HMAC-SHA256 ")) return std::nullopt;
    const std::string credential(part_of(authorization, "Credential"));
    const size_t slash = std::min(credential.find('/'), credential.size());
    const std::string_view payload = request.header("x-amz-content-sha256");
    return Claim{credential.substr(0, slash),
                 credential.substr(std::min(slash + 1, credential.size())),
                 std::string(request.header("x-amz-date")),
                 std::string(part_of(authorization, "SignedHeaders")),
                 std::string(part_of(authorization, "Signature")),
                 payload.empty() ? "UNSIGNED-PAYLOAD" : std::string(payload),
                 target.query,
                 0};
}

std::optional<Claim> claim_in_query(const Target& target) {
    const auto value = [&](std::string_view name) {
        const std::string* found = target.find(name);
        return found ? *found : std::string();
    };
    if (value("X-Amz-Algorithm") != "AWS4-HMAC-SHA256" || value("X-Amz-Signature").empty()) return std::nullopt;
    const std::string credential = value("X-Amz-Credential"), lasts = value("X-Amz-Expires");
    const size_t slash = std::min(credential.find('/'), credential.size());
    Claim claim{credential.substr(0, slash),
                credential.substr(std::min(slash + 1, credential.size())),
                value("X-Amz-Date"),
                value("X-Amz-SignedHeaders"),
                value("X-Amz-Signature"),
                "UNSIGNED-PAYLOAD",
                target.query,
                0};
    std::erase_if(claim.query, [](const auto& pair) { return pair.first == "X-Amz-Signature"; });
    int64_t seconds = 0;
    const auto [end, error] = std::from_chars(lasts.data(), lasts.data() + lasts.size(), seconds);
    if (error != std::errc() || end != lasts.data() + lasts.size()) seconds = -1;
    claim.lasts_s = seconds < 1 || seconds > kPresignedMaxS ? -1 : seconds;
    return claim;
}

/// Whether the time that a request states allows it now.
SignatureVerdict judge_time(const Claim& claim, int64_t now_unix_s) {
    const int64_t when = unix_of(claim.date);
    if (when < 0 || when - now_unix_s > kSkewMaxS || claim.lasts_s < 0) return SignatureVerdict::skewed;
    if (claim.lasts_s == 0) return now_unix_s - when > kSkewMaxS ? SignatureVerdict::skewed : SignatureVerdict::right;
    return now_unix_s > when + claim.lasts_s ? SignatureVerdict::expired : SignatureVerdict::right;
}

}  // namespace

SignatureVerdict check_signature(const net::server::Request& request, const KeyPair& keys, int64_t now_unix_s) {
    const auto target = parse_target(request.target);
    if (!target) return SignatureVerdict::wrong;
    auto claim = claim_in_header(request, *target);
    if (!claim) claim = claim_in_query(*target);
    if (!claim) return SignatureVerdict::missing;
    if (claim->access_key != keys.access_key) return SignatureVerdict::unknown_key;
    if (const auto verdict = judge_time(*claim, now_unix_s); verdict != SignatureVerdict::right) return verdict;
    const std::string_view scope = claim->scope;
    if (scope.size() < 9 || scope.substr(0, 8) != std::string_view(claim->date).substr(0, 8))
        return SignatureVerdict::wrong;
    const bool host_signed = (";" + claim->signed_headers + ";").find(";host;") != std::string::npos;
    if (!host_signed || !scope.ends_with("/s3/aws4_request")) return SignatureVerdict::wrong;

    const std::string path = uri_encode(target->path, true), query = canonical_query(claim->query);
    const net::CanonicalRequest canonical{
        request.method, path, query, headers_of(request, claim->signed_headers), claim->signed_headers, claim->payload};
    const std::string to_sign = net::string_to_sign(canonical, claim->date, scope);
    const std::string_view region = scope.substr(9, scope.find('/', 9) - 9);
    const Sha256Bytes key = net::sigv4_key(keys.secret_key, scope.substr(0, 8), region, "s3");
    return equal_in_constant_time(to_hex(hmac_sha256(key, to_sign)), claim->signature) ? SignatureVerdict::right
                                                                                       : SignatureVerdict::wrong;
}

}  // namespace zcdp::services::serve
