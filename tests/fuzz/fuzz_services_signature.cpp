// A signature that somebody made up is never right, whatever else the request says; one that was made with the key is,
// for any key, path and query, and is not under another secret, another path or another time.
#include <cstdlib>
#include <string>

#include "src/net/server/request.hpp"
#include "src/origin/s3/sigv4.hpp"
#include "src/services/serve/signature.hpp"
#include "zcdp/base/percent.hpp"

namespace {

using namespace zcdp::services::serve;
using zcdp::net::server::Request;

constexpr int64_t kNow = 1'369'353'600;  // 20130524T000000Z

void require(bool holds) {
    if (!holds) std::abort();
}

void made_up(std::string_view text) {
    const size_t end = text.find("\r\n\r\n");
    if (end == text.npos) return;
    zcdp::net::server::Head head;
    if (zcdp::net::server::parse_head(text.substr(0, end + 4), head) != zcdp::net::server::HeadVerdict::good) return;
    const KeyPair keys{"AKIAIOSFODNN7EXAMPLE", "a secret that no input has: 7f1c0d5e"};
    require(check_signature(head.request, keys, kNow) != SignatureVerdict::right);
}

Request signed_request(const KeyPair& keys, const std::string& path, const std::string& value) {
    const std::string encoded = zcdp::uri_encode(path, true), query = "prefix=" + zcdp::uri_encode(value, false);
    zcdp::origin::s3::SigningInput input;
    input.method = "GET", input.host = "host:9000", input.path = encoded, input.query = query;
    input.region = "eu-central-1", input.amz_date = "20130524T000000Z", input.payload_sha256 = "UNSIGNED-PAYLOAD";
    Request request;
    request.method = "GET", request.target = encoded + "?" + query;
    request.headers = {
        {"host", "host:9000"},
        {"x-amz-date", "20130524T000000Z"},
        {"x-amz-content-sha256", "UNSIGNED-PAYLOAD"},
        {"authorization", zcdp::origin::s3::Signer().authorization(input, {keys.access_key, keys.secret_key, "", 0})}};
    return request;
}

void made(const std::string& text) {
    const size_t third = text.size() / 3;
    const KeyPair keys{"AKIAIOSFODNN7EXAMPLE", text.substr(0, third)};
    const std::string path = "/" + text.substr(third, third), value = text.substr(2 * third);
    Request request = signed_request(keys, path, value);
    require(check_signature(request, keys, kNow) == SignatureVerdict::right);
    require(check_signature(request, keys, kNow + 16 * 60) == SignatureVerdict::skewed);
    require(check_signature(request, keys, kNow - 16 * 60) == SignatureVerdict::skewed);
    require(check_signature(request, {"other", keys.secret_key}, kNow) == SignatureVerdict::unknown_key);
    require(check_signature(request, {keys.access_key, keys.secret_key + "x"}, kNow) == SignatureVerdict::wrong);
    request.target += "x";
    require(check_signature(request, keys, kNow) == SignatureVerdict::wrong);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    made_up({reinterpret_cast<const char*>(data), size});
    made(std::string(reinterpret_cast<const char*>(data), size));
    return 0;
}
