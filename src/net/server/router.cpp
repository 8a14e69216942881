#include "zcdp/net/router.hpp"

#include <algorithm>

#include "zcdp/base/percent.hpp"

namespace zcdp::net::server {
namespace {

std::vector<std::string_view> split(std::string_view path) {
    std::vector<std::string_view> parts;
    while (!path.empty()) {
        path.remove_prefix(1);  // a '/'
        const size_t end = std::min(path.find('/'), path.size());
        parts.push_back(path.substr(0, end));
        path.remove_prefix(end);
    }
    return parts;
}

bool is_name(std::string_view part) { return part.starts_with('{') && part.ends_with('}'); }
bool is_rest(std::string_view part) { return is_name(part) && part.ends_with("...}"); }

/// `path` is split undecoded, so that a %2F stays inside of its part.
bool fits(const std::vector<std::string>& pattern, const std::vector<std::string_view>& path, Request& request) {
    request.parameters.clear();
    const bool open = !pattern.empty() && is_rest(pattern.back());
    const size_t fixed = pattern.size() - (open ? 1 : 0);
    if (open ? path.size() < fixed : path.size() != fixed) return false;
    for (size_t i = 0; i < fixed; ++i) {
        std::string part(path[i]);
        percent_decode(part, false);
        if (!is_name(pattern[i])) {
            if (part != pattern[i]) return false;
        } else if (part.empty()) {
            return false;
        } else {
            request.parameters.emplace_back(pattern[i].substr(1, pattern[i].size() - 2), std::move(part));
        }
    }
    if (!open) return true;
    std::string rest;
    for (size_t i = fixed; i < path.size(); ++i) (rest += i > fixed ? "/" : "") += path[i];
    percent_decode(rest, false);
    request.parameters.emplace_back(pattern.back().substr(1, pattern.back().size() - 5), std::move(rest));
    return true;
}

Response plain(int status, std::string text, std::string headers = {}) {
    return {status, "Content-Type: text/plain\r\n" + headers, std::move(text) + "\n"};
}

bool parse_query(std::string_view text, std::vector<std::pair<std::string, std::string>>& query) {
    while (!text.empty()) {
        const size_t end = std::min(text.find('&'), text.size());
        const std::string_view item = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (item.empty()) continue;
        const size_t equals = std::min(item.find('='), item.size());
        std::string name(item.substr(0, equals)), value(item.substr(std::min(equals + 1, item.size())));
        if (!percent_decode(name, true) || !percent_decode(value, true)) return false;
        query.emplace_back(std::move(name), std::move(value));
    }
    return true;
}

/// The path of a target as sent, without its query.
std::optional<std::string_view> path_of(std::string_view target) {
    for (const std::string_view scheme : {"http://", "https://"})
        if (target.starts_with(scheme)) {
            const size_t begin = target.find_first_of("/?", scheme.size());
            if (begin == target.npos || target[begin] == '?') return "/";
            target.remove_prefix(begin);
            break;
        }
    if (!target.starts_with('/')) return std::nullopt;
    return target.substr(0, target.find('?'));
}

}  // namespace

bool split_target(std::string_view target, std::string& path, std::vector<std::pair<std::string, std::string>>& query) {
    const auto sent = path_of(target);
    if (!sent) return false;
    path = *sent;
    query.clear();
    if (!percent_decode(path, false)) return false;
    const size_t question = target.find('?');
    return question == target.npos || parse_query(target.substr(question + 1), query);
}

std::string_view Request::header(std::string_view name) const {
    for (const auto& [key, value] : headers)
        if (key == name) return value;
    return {};
}

std::string_view Request::parameter(std::string_view name) const {
    for (const auto& [key, value] : parameters)
        if (key == name) return value;
    return {};
}

const std::string* Request::query_value(std::string_view name) const {
    for (const auto& [key, value] : query)
        if (key == name) return &value;
    return nullptr;
}

Router& Router::add(std::string method, std::string pattern, Handler handler, Access access) {
    Route route{std::move(method), {}, std::move(handler), std::move(access)};
    for (const std::string_view part : split(pattern)) route.parts.emplace_back(part);
    routes_.push_back(std::move(route));
    return *this;
}

Router& Router::otherwise(Handler handler) {
    otherwise_ = std::move(handler);
    return *this;
}

Task<Response> Router::route(Request& request, RequestBody& body) const {
    if (!split_target(request.target, request.path, request.query)) {
        if (otherwise_) co_return co_await otherwise_(request, body);
        co_return plain(400, "the request's target cannot be read");
    }
    const auto parts = split(*path_of(request.target));
    std::string allowed;
    for (const Route& route : routes_) {
        if (!fits(route.parts, parts, request)) continue;
        if (route.method != "*" && route.method != request.method &&
            !(route.method == "GET" && request.method == "HEAD")) {
            allowed += (allowed.empty() ? "" : ", ") + route.method;
            continue;
        }
        for (const Check* check : {&route.access.authenticate, &route.access.authorise}) {
            if (!*check) continue;
            auto refused = co_await (*check)(request);
            if (refused) co_return std::move(*refused);
        }
        co_return co_await route.handler(request, body);
    }
    request.parameters.clear();
    if (otherwise_) co_return co_await otherwise_(request, body);
    if (!allowed.empty()) co_return plain(405, "the method does not fit", "Allow: " + allowed + "\r\n");
    co_return plain(404, "there is no such path");
}

}  // namespace zcdp::net::server
