#include "src/datastore/server/answered.hpp"

#include <algorithm>
#include <charconv>

namespace zcdp::datastore {

using net::server::Request, net::server::Response;

namespace {

std::optional<uint64_t> number(std::string_view text) {
    uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value > INT64_MAX) return std::nullopt;
    return value;
}

}  // namespace

void throw_exception_from_error(const Refused& refused, const boost::source_location& where) {
    throw_exception_from_error(refused.error, where);
}

Response json_response(int status, std::string json) {
    return {status, "Content-Type: application/json\r\n", std::move(json) + "\n"};
}

Response refusal(const Refused& refused) { return json_response(refused.status, error_json(refused.error)); }

Answered<std::optional<uint64_t>> number_of(const Request& request, std::string_view name) {
    const std::string* text = request.query_value(name);
    if (!text) return std::optional<uint64_t>();
    const auto value = number(*text);
    if (!value) return Error(ErrorKind::refused, "is no number", std::string(name));
    return value;
}

Answered<uint64_t> number_or_0(const Request& request, std::string_view name) {
    ZCDP_TRY(const auto number, number_of(request, name));
    return number.value_or(0);
}

uint64_t announced_bytes(const Request& request, uint64_t most) {
    return std::min(number(request.header("content-length")).value_or(most), most);
}

Answered<bool> flag_of(const Request& request, std::string_view name) {
    const std::string* text = request.query_value(name);
    if (!text || *text == "0" || *text == "false") return false;
    if (*text == "1" || *text == "true") return true;
    return Error(ErrorKind::refused, "is neither 0 nor 1", std::string(name));
}

}  // namespace zcdp::datastore
