#include "src/kube/reviews.hpp"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/value.hpp>
#include <cmath>

#include "zcdp/base/ascii.hpp"
#include "zcdp/base/base64.hpp"
#include "zcdp/base/json_parse.hpp"

namespace zcdp::kube {
namespace {

constexpr std::string_view kScheme = "bearer ";
constexpr size_t kTokenBytesMax = 32 << 10;
constexpr size_t kQuotedBytes = 12;
constexpr unsigned kClaimsDepthMax = 20;
constexpr double kSecondsMax = 1e12;  // past the year 30000: exact as a double, and no overflow when it is added to

ApiError malformed(const char* what) { return ApiError(ApiErrorKind::malformed, 200, what); }

/// A member that is there and not null.
const json::value* member(const json::object& object, std::string_view name) {
    const json::value* value = object.if_contains(name);
    return value && !value->is_null() ? value : nullptr;
}

bool read_text(const json::object& object, std::string_view name, std::string& out) {
    const json::value* value = member(object, name);
    if (!value) return true;
    if (!value->is_string()) return false;
    out = std::string(value->get_string());
    return true;
}

bool read_bool(const json::object& object, std::string_view name, bool& out) {
    const json::value* value = member(object, name);
    if (!value) return true;
    if (!value->is_bool()) return false;
    out = value->get_bool();
    return true;
}

bool read_texts(const json::value* value, std::vector<std::string>& out) {
    if (!value || value->is_null()) return true;
    if (!value->is_array()) return false;
    for (const json::value& item : value->get_array()) {
        if (!item.is_string()) return false;
        out.emplace_back(item.get_string());
    }
    return true;
}

bool read_extra(const json::object& user, User& out) {
    const json::value* extra = member(user, "extra");
    if (!extra) return true;
    if (!extra->is_object()) return false;
    for (const auto& one : extra->get_object())
        if (!read_texts(&one.value(), out.extra[std::string(one.key())])) return false;
    return true;
}

bool read_user(const json::object& status, User& out) {
    const json::value* user = member(status, "user");
    if (!user || !user->is_object()) return false;
    const json::object& object = user->get_object();
    return read_text(object, "username", out.name) && read_text(object, "uid", out.uid) &&
           read_texts(object.if_contains("groups"), out.groups) && read_extra(object, out) && !out.name.empty();
}

/// The answer's status; null when it is no answer of this kind.
const json::object* status_of(const json::object& answer, std::string_view kind) {
    const json::value* status = member(answer, "status");
    return text_of(answer, "kind") == kind && status ? status->if_object() : nullptr;
}

json::object review(const Resource& resource, json::object spec) {
    return {{"apiVersion", resource.api_version()}, {"kind", resource.kind}, {"spec", std::move(spec)}};
}

json::array array_of(const std::vector<std::string>& texts) { return json::array(texts.begin(), texts.end()); }

void add(json::object& object, const char* name, const std::string& value) {
    if (!value.empty()) object[name] = value;
}

/// Whoever answers may quote what it was sent, and cut it short.
bool holds_a_part_of(std::string_view token, std::string_view text) {
    return !token.empty() && text.find(token.substr(0, kQuotedBytes)) != std::string_view::npos;
}

}  // namespace

std::string_view bearer_token(std::string_view authorization) {
    if (!equal_ignoring_case(authorization.substr(0, kScheme.size()), kScheme)) return {};
    const std::string_view rest = authorization.substr(kScheme.size());
    return rest.substr(std::min(rest.size(), rest.find_first_not_of(' ')));
}

bool is_token(std::string_view token) {
    return !token.empty() && token.size() <= kTokenBytesMax &&
           std::all_of(token.begin(), token.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

std::optional<int64_t> jwt_expiry_s(std::string_view token) {
    const size_t first = token.find('.');
    if (first == std::string_view::npos) return std::nullopt;
    const size_t second = token.find('.', first + 1);
    if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos) return std::nullopt;
    const auto text = from_base64url(token.substr(first + 1, second - first - 1));
    const auto claims = text ? parse_json(*text, kClaimsDepthMax) : std::nullopt;
    const json::value* expiry = claims && claims->is_object() ? claims->get_object().if_contains("exp") : nullptr;
    if (!expiry) return std::nullopt;
    boost::system::error_code code;
    const double seconds = expiry->is_number() ? expiry->to_number<double>(code) : 0;  // RFC 7519: fractions are legal
    if (code || !(seconds > 0)) return 0;
    return static_cast<int64_t>(std::min(seconds, kSecondsMax));
}

Unanswered unanswered(const ApiError& error, std::string_view token) {
    const bool quoted = holds_a_part_of(token, error.message());
    return Unanswered(error.kind(), quoted ? "its answer quotes the token" : error.message(), error.retry_after_s());
}

json::object token_review(std::string_view token, const std::vector<std::string>& audiences) {
    return review(resources::token_reviews, {{"token", token}, {"audiences", array_of(audiences)}});
}

ApiResult<std::optional<User>> parse_token_review(const json::object& answer,
                                                  const std::vector<std::string>& audiences) {
    const json::object* status = status_of(answer, resources::token_reviews.kind);
    bool authenticated = false;
    if (!status || !read_bool(*status, "authenticated", authenticated)) return malformed("this is no TokenReview");
    // `error` beside it says why, for a bad token and for an authenticator of the API server that failed alike.
    if (!authenticated) return std::optional<User>();
    std::vector<std::string> meant_for;
    User user;
    if (!read_texts(status->if_contains("audiences"), meant_for)) return malformed("the TokenReview's audiences");
    if (!read_user(*status, user)) return malformed("the TokenReview has no user");
    // A server that knows nothing of audiences names none: the token is then one for the API server.
    const bool for_us = std::any_of(meant_for.begin(), meant_for.end(), [&](const std::string& one) {
        return std::find(audiences.begin(), audiences.end(), one) != audiences.end();
    });
    if (!for_us) return std::optional<User>();
    return std::optional<User>(std::move(user));
}

json::object access_review(const User& user, const AccessQuestion& question) {
    json::object spec{{"user", user.name}};
    add(spec, "uid", user.uid);
    if (!user.groups.empty()) spec["groups"] = array_of(user.groups);
    json::object extra;
    for (const auto& [name, values] : user.extra) extra[name] = array_of(values);
    if (!extra.empty()) spec["extra"] = std::move(extra);
    json::object attributes;
    if (const auto* path = std::get_if<PathAccess>(&question)) {
        add(attributes, "verb", path->verb);
        add(attributes, "path", path->path);
        spec["nonResourceAttributes"] = std::move(attributes);
    } else {
        const auto& object = std::get<ObjectAccess>(question);
        add(attributes, "verb", object.verb);
        add(attributes, "group", object.group);
        add(attributes, "resource", object.resource);
        add(attributes, "subresource", object.subresource);
        add(attributes, "namespace", object.ns);
        add(attributes, "name", object.name);
        spec["resourceAttributes"] = std::move(attributes);
    }
    return review(resources::subject_access_reviews, std::move(spec));
}

ApiResult<bool> parse_access_review(const json::object& answer) {
    const json::object* status = status_of(answer, resources::subject_access_reviews.kind);
    bool allowed = false, denied = false;
    if (!status || !member(*status, "allowed") || !read_bool(*status, "allowed", allowed) ||
        !read_bool(*status, "denied", denied))
        return malformed("this is no SubjectAccessReview");
    // `evaluationError` beside it changes nothing: a role that is not there may be one of many.
    return allowed && !denied;
}

}  // namespace zcdp::kube
