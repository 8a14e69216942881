#include "http_request.hpp"

#include <algorithm>
#include <charconv>

#include "zcdp/base/ascii.hpp"

namespace zcdp::services::serve {
namespace {

constexpr size_t kHeadersMax = 100;

bool plain(std::string_view text) {
    return std::all_of(text.begin(), text.end(),
                       [](char c) { return static_cast<unsigned char>(c) >= 0x20 || c == '\t'; });
}

/// RFC 9110 5.6.2.
bool is_token(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return is_letter_or_digit(c) || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
    });
}

}  // namespace

std::string_view HttpRequest::header(std::string_view name) const {
    for (const auto& [key, value] : headers)
        if (key == name) return value;
    return {};
}

std::optional<HttpRequest> parse_request(std::string_view bytes) {
    HttpRequest request;
    size_t end = bytes.find("\r\n");
    if (end == bytes.npos) return std::nullopt;
    const std::string_view line = bytes.substr(0, end);
    const size_t first = line.find(' '), last = line.rfind(' ');
    if (first == line.npos || last <= first || !plain(line)) return std::nullopt;
    request.method = line.substr(0, first);
    request.target = line.substr(first + 1, last - first - 1);
    if (!is_token(request.method) || request.target.empty() || request.target.find_first_of(" \t") != std::string::npos)
        return std::nullopt;
    const std::string_view version = line.substr(last + 1);
    if (version != "HTTP/1.1" && version != "HTTP/1.0") return std::nullopt;
    request.keep_alive = version == "HTTP/1.1";
    for (bytes.remove_prefix(end + 2); !bytes.starts_with("\r\n"); bytes.remove_prefix(end + 2)) {
        end = bytes.find("\r\n");
        if (end == bytes.npos || request.headers.size() == kHeadersMax) return std::nullopt;
        const std::string_view field = bytes.substr(0, end);
        const size_t colon = field.find(':');
        if (colon == field.npos || !is_token(field.substr(0, colon)) || !plain(field)) return std::nullopt;
        request.headers.emplace_back(to_lower(field.substr(0, colon)), trimmed(field.substr(colon + 1)));
    }
    request.body_in_chunks = !request.header("transfer-encoding").empty();
    for (const auto& [name, length] : request.headers) {
        if (name != "content-length") continue;
        const auto [at, error] = std::from_chars(length.data(), length.data() + length.size(), request.body_bytes);
        if (error != std::errc() || at != length.data() + length.size()) return std::nullopt;
        if (length != request.header(name)) return std::nullopt;  // two readers could see two ends (RFC 9112 6.3)
    }
    const std::string connection = to_lower(request.header("connection"));
    if (connection.find("close") != connection.npos) request.keep_alive = false;
    if (connection.find("keep-alive") != connection.npos) request.keep_alive = true;
    return request;
}

}  // namespace zcdp::services::serve
