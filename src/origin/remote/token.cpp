#include "src/origin/remote/token.hpp"

#include <algorithm>
#include <boost/json.hpp>

#include "src/origin/remote/answers.hpp"
#include "src/origin/remote/xml.hpp"

namespace zcdp::origin {
namespace {

namespace json = boost::json;

constexpr unsigned kDepthMax = 16;
constexpr size_t kAnswerBytesMax = 256 << 10, kHeaderWordBytesMax = 64 << 10;
constexpr uint64_t kExchangeTimeoutMs = 10'000;
constexpr int64_t kTokenS = 3600;

}  // namespace

Result<json::object> parse_json_object(std::string_view text, const std::string& what, ErrorKind kind) {
    auto value = parse_json(text, kDepthMax);
    if (!value || !value->is_object()) return Error(kind, what + " is no JSON object");
    return std::move(value->get_object());
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
    } else if (number_of(object, "expires_on", seconds)) {
        out.expires_unix_s = static_cast<int64_t>(std::min<uint64_t>(seconds, static_cast<uint64_t>(now) + (1u << 30)));
    }
    if (out.expires_unix_s <= 0) out.expires_unix_s = now + kTokenS;
    if (!is_header_word(out.bearer)) return Error(ErrorKind::denied, "the token service's answer has no token");
    return out;
}

bool is_header_word(std::string_view text) {
    return !text.empty() && text.size() <= kHeaderWordBytesMax &&
           std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

std::string refusal_word(std::string_view body) {
    std::string word;
    if (const auto object = parse_json_object(body, "", ErrorKind::denied)) {
        word = text_of(*object, "error");
        if (word.empty()) word = text_of(*object, "Code");
    } else if (const auto leaves = xml_leaves(body)) {
        for (const auto& [name, text] : *leaves)
            if (name == "Code") word = text;
    }
    return printable(word.substr(0, 100));
}

Error none_found(const Error& why, bool has_given, std::string hint) {
    if (has_given || why.kind() == ErrorKind::throttled) return why;
    return Error(ErrorKind::denied,
                 "no credentials were found: " + why.what() + (why.object().empty() ? "" : " [" + why.object() + "]"),
                 "", std::move(hint));
}

Task<Result<std::string>> ask_token_service(net::HttpClient& http, std::string url, net::Request request,
                                            uint64_t timeout_ms, std::string hint) {
    ZCDP_CO_TRY(auto where, split_url(url));
    request.target = std::move(where.second);
    const std::string name = where.first.url(), asking = "asking for credentials: ";
    const auto answer = co_await http.send(std::move(where.first), std::move(request), Deadline::in_ms(timeout_ms));
    if (!answer) {
        const Error& why = answer.error();
        const bool nobody =
            why.kind() == ErrorKind::not_found || why.kind() == ErrorKind::failed;  // a name or an answer that is none
        co_return Error(nobody ? ErrorKind::unreachable : why.kind(), asking + why.what(), name, why.hint());
    }
    const auto body = co_await (*answer)->read_all(kAnswerBytesMax);
    if (!body)
        co_return Error(body.error().kind() == ErrorKind::refused ? ErrorKind::denied : body.error().kind(),
                        asking + body.error().what(), name, hint);
    const int status = (*answer)->status();
    if (status == 200) co_return *body;
    if (status / 100 == 3)
        co_return Error(ErrorKind::denied,
                        asking + "HTTP " + std::to_string(status) + ", a redirect, which is not followed", name, hint);
    const std::string word = refusal_word(*body);  // no secret
    const bool away = status >= 500 || status == 429;
    co_return Error(away ? ErrorKind::throttled : ErrorKind::denied,
                    (away ? "" : "access is denied: ") + asking + "HTTP " + std::to_string(status) +
                        (word.empty() ? "" : " " + word),
                    name, hint);
}

Task<Result<Token>> exchange_form(net::HttpClient& http, std::string url, std::string form, int64_t now,
                                  std::string hint) {
    net::Request request;
    request.method = "POST";
    request.headers = {{"Content-Type", "application/x-www-form-urlencoded"}, {"Accept", "application/json"}};
    request.body = std::move(form);
    ZCDP_CO_TRY(const std::string answer,
                co_await ask_token_service(http, url, std::move(request), kExchangeTimeoutMs, std::move(hint)));
    co_return said_by(url, parse_token(answer, now));
}

}  // namespace zcdp::origin
