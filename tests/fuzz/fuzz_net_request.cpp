// What anybody may send to a server: a request's header, its target, its body's chunks.
#include <algorithm>
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

namespace {

using namespace zcdp::net;

void require(bool holds) {
    if (!holds) std::abort();
}

/// RFC 9110 5.6.2.
bool is_token(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
    });
}

std::string written(const server::Request& request) {
    std::string out = request.method + " " + request.target + (request.version == 11 ? " HTTP/1.1" : " HTTP/1.0");
    out += "\r\n";
    for (const auto& [name, value] : request.headers) out.append(name).append(": ").append(value).append("\r\n");
    return out + "\r\n";
}

/// A request of RFC 9112, whose end two readers see at the same place; written again, it is read as the same.
void check(const server::Head& head) {
    const server::Request& request = head.request;
    require(is_token(request.method) && !request.target.empty());
    require(request.target.find_first_of(std::string_view(" \t\r\n\0", 5)) == std::string::npos);
    for (const auto& [name, value] : request.headers) {
        require(is_token(name) && std::none_of(name.begin(), name.end(), [](char c) { return c >= 'A' && c <= 'Z'; }));
        require(value.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos);
        if (name != "content-length") continue;
        require(value == request.header("content-length") && !head.chunked);
        require(!value.empty() && std::all_of(value.begin(), value.end(), [](char c) { return c >= '0' && c <= '9'; }));
    }
    server::Head again;
    require(server::parse_head(written(request), again) == server::HeadVerdict::good);
    require(again.request.method == request.method && again.request.target == request.target);
    require(again.request.headers == request.headers && again.content_length == head.content_length);
    require(again.chunked == head.chunked && again.keep_alive == head.keep_alive);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const size_t end = text.find("\r\n\r\n");
    if (end == text.npos) return 0;
    server::Head head;
    if (server::parse_head(text.substr(0, end + 4), head) != server::HeadVerdict::good) return 0;
    check(head);
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
