// The small texts that stand in others: times, digests, base64, percent-encoding, sizes. What is taken is written and
// read as the same.
#include <cstdlib>
#include <string>

#include "zcdp/base/base64.hpp"
#include "zcdp/base/clock.hpp"
#include "zcdp/base/digest.hpp"
#include "zcdp/base/percent.hpp"
#include "zcdp/base/units.hpp"

namespace {

using namespace zcdp;

void require(bool holds) {
    if (!holds) std::abort();
}

void times(const std::string& text) {
    if (const int64_t at = parse_http_date(text); at >= 0) require(parse_http_date(http_date(at)) == at);
    if (const int64_t at = parse_iso8601(text); at >= 0) require(parse_iso8601(iso8601(at)) == at);
}

void encodings(const std::string& text) {
    require(from_base64(to_base64(text)) == text);
    if (const auto bytes = from_base64(text)) require(from_base64(to_base64(*bytes)) == bytes);
    require(from_base64url(to_base64url(text)) == text);
    if (const auto bytes = from_base64url(text)) require(to_base64url(*bytes).size() == text.size());
    std::string encoded = uri_encode(text, false);
    require(percent_decode(encoded, true) && encoded == text);
    std::string decoded = text;
    if (percent_decode(decoded, false)) require(decoded.size() <= text.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string text(reinterpret_cast<const char*>(data), size);
    times(text);
    encodings(text);
    if (const auto digest = Digest::parse(text)) require(digest->str() == text);
    if (const auto bytes = parse_size(text)) require(parse_rate(text) == bytes);
    (void)parse_duration_ms(text);
    return 0;
}
