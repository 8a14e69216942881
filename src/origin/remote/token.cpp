#include "src/origin/remote/token.hpp"

#include <boost/json.hpp>

#include "src/origin/remote/answers.hpp"

namespace zcdp::origin {
namespace {

namespace json = boost::json;

constexpr unsigned kDepthMax = 16;
constexpr size_t kAnswerBytesMax = 256 << 10;
constexpr uint64_t kExchangeTimeoutMs = 10'000;
constexpr int64_t kTokenS = 3600;

}  // namespace

Result<json::object> parse_json_object(std::string_view text, const std::string& what, ErrorKind kind) {
    boost::system::error_code code;
    json::parse_options options;
    options.max_depth = kDepthMax;
    json::value value = json::parse(text, code, {}, options);
    if (code || !value.is_object()) return Error(kind, what + " is no JSON object");
    return std::move(value.get_object());
}

std::string text_of(const json::object& object, std::string_view name) {
    const json::value* value = object.if_contains(name);
    return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

bool number_of(const json::object& object, std::string_view name, uint64_t& value) {
    const json::value* found = object.if_contains(name);
    if (found && found->is_int64() && found->get_int64() >= 0) {
        value = static_cast<uint64_t>(found->get_int64());
        return true;
    }
    return to_number(text_of(object, name), value);
}

Result<Token> parse_token(std::string_view text, int64_t now) {
    ZCDP_TRY(const json::object object, parse_json_object(text, "the token service's answer", ErrorKind::denied));
    Token out{text_of(object, "access_token"), 0};
    uint64_t seconds = 0;
    if (out.bearer.empty()) {
        out.bearer = text_of(object, "accessToken");
        out.expires_unix_s = parse_iso8601(text_of(object, "expireTime"));
    } else if (number_of(object, "expires_in", seconds)) {
        out.expires_unix_s = now + static_cast<int64_t>(std::min<uint64_t>(seconds, 1u << 30));
    }
    if (out.expires_unix_s <= now) out.expires_unix_s = now + kTokenS;
    if (out.bearer.empty() || out.bearer.find_first_of("\r\n ") != std::string::npos)
        return Error(ErrorKind::denied, "the token service's answer has no token");
    return out;
}

Task<Result<std::string>> ask_token_service(net::HttpClient& http, std::string url, net::Request request, uint64_t timeout_ms, std::string hint) {
    ZCDP_CO_TRY(auto where, split_url(url));
    request.target = std::move(where.second);
    const std::string name = where.first.url();
    ZCDP_CO_TRY(const auto answer, co_await http.send(std::move(where.first), std::move(request), Deadline::in_ms(timeout_ms)));
    ZCDP_CO_TRY(auto body, co_await answer->read_all(kAnswerBytesMax));
    if (answer->status() == 200) co_return body;
    const auto why = parse_json_object(body, "", ErrorKind::denied);
    const std::string code = why ? printable(text_of(*why, "error").substr(0, 100)) : "";  // RFC 6749 5.2: a word, no secret
    const bool away = answer->status() >= 500;
    co_return Error(away ? ErrorKind::unreachable : ErrorKind::denied, std::string(away ? "" : "access is denied: ") + "asking for a token: HTTP " +
                    std::to_string(answer->status()) + (code.empty() ? "" : " " + code), name, hint);
}

std::string form_of(const std::vector<std::pair<std::string, std::string>>& fields) {
    std::string out;
    for (const auto& [name, value] : fields) out += (out.empty() ? "" : "&") + name + "=" + uri_encode(value, false);
    return out;
}

Task<Result<Token>> exchange_form(net::HttpClient& http, std::string url, std::string form, int64_t now, std::string hint) {
    net::Request request;
    request.method = "POST";
    request.headers = {{"Content-Type", "application/x-www-form-urlencoded"}, {"Accept", "application/json"}};
    request.body = std::move(form);
    ZCDP_CO_TRY(const std::string answer, co_await ask_token_service(http, std::move(url), std::move(request), kExchangeTimeoutMs, std::move(hint)));
    co_return parse_token(answer, now);
}

}  // namespace zcdp::origin
