// What anybody may send to a server: a request's header, its target, its body's chunks.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>

#include "src/net/client/chunked.hpp"
#include "src/net/server/request.hpp"
#include "zcdp/net/router.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace zcdp::net;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const size_t end = text.find("\r\n\r\n");
    if (end == text.npos) return 0;
    server::Head head;
    if (server::parse_head(text.substr(0, end + 4), head) != server::HeadVerdict::good) return 0;
    if (head.request.target.find_first_of(" \r\n") != std::string::npos) std::abort();
    if (head.chunked && !head.request.header("content-length").empty()) std::abort();
    for (const auto& [name, value] : head.request.headers)
        if (name.find_first_of(": \r\n") != name.npos || value.find_first_of("\r\n") != value.npos) std::abort();
    (void)server::split_target(head.request.target, head.request.path, head.request.query);
    if (!head.chunked) return 0;
    ChunkedDecoder chunks(ChunkedForm::strict);
    std::array<std::byte, 64> piece;
    for (std::string_view body = text.substr(end + 4); !body.empty() && !chunks.ended();) {
        const auto step = chunks.decode(body, piece);
        if (!step) return 0;
        body.remove_prefix(step->consumed);
    }
    return 0;
}
