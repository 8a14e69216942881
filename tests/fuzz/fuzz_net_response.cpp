// Any bytes as an answer's header, and as a chunked body in any pieces.
#include <array>
#include <cstdlib>
#include <string>

#include "src/net/client/chunked.hpp"
#include "src/net/client/response_header.hpp"
#include "zcdp/net/endpoint.hpp"

namespace {

std::string decoded(std::string_view text, size_t step) {
    zcdp::net::ChunkedDecoder decoder;
    std::string out;
    std::array<std::byte, 97> buffer;
    for (size_t at = 0; at < text.size() && !decoder.ended();) {
        const auto step_done = decoder.decode(text.substr(at, step), buffer);
        if (!step_done) return "malformed";
        out.append(reinterpret_cast<const char*>(buffer.data()), step_done->produced);
        at += step_done->consumed;
    }
    return out + (decoder.ended() ? "+" : "-");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    zcdp::net::ResponseHeader header;
    const auto length = header.parse(text, {32 << 10, 128});
    if (length && *length > 0 && (header.status() < 100 || header.status() > 999 || *length > size)) std::abort();
    if (decoded(text, size + 1) != decoded(text, 3)) std::abort();
    (void)zcdp::net::Endpoint::parse(text);
    return 0;
}
