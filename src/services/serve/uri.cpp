#include "src/services/serve/uri.hpp"

#include "zcdp/base/percent.hpp"

namespace zcdp::services::serve {

namespace {

std::optional<std::string> decoded(std::string_view text, bool plus_is_space) {
    std::string out(text);
    return percent_decode(out, plus_is_space) ? std::optional(std::move(out)) : std::nullopt;
}

bool parse_query(std::string_view text, Query& query) {
    while (!text.empty()) {
        const size_t end = text.find('&');
        const std::string_view item = text.substr(0, end);
        text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
        if (item.empty()) continue;
        const size_t equals = item.find('=');
        auto name = decoded(item.substr(0, equals), true);
        auto value = decoded(equals == std::string_view::npos ? std::string_view() : item.substr(equals + 1), true);
        if (!name || !value) return false;
        query.emplace_back(std::move(*name), std::move(*value));
    }
    return true;
}

}  // namespace

const std::string* Target::find(std::string_view name) const {
    for (const auto& [key_name, value] : query) {
        if (key_name == name) return &value;
    }
    return nullptr;
}

std::optional<Target> parse_target(std::string_view text) {
    std::string rooted;  // an address without a path means its root (RFC 9110 4.2.3)
    for (const std::string_view scheme : {"http://", "https://"})
        if (text.starts_with(scheme)) {
            const size_t path = text.find_first_of("/?", scheme.size());
            text = path == text.npos ? std::string_view() : text.substr(path);
            if (!text.starts_with('/')) text = rooted = "/" + std::string(text);
            break;
        }
    if (text.empty() || text.front() != '/') return std::nullopt;
    const size_t question = text.find('?');
    auto path = decoded(text.substr(0, question), false);
    if (!path) return std::nullopt;
    Target target;
    if (question != std::string_view::npos && !parse_query(text.substr(question + 1), target.query))
        return std::nullopt;
    const size_t slash = path->find('/', 1);
    target.bucket = path->substr(1, slash == std::string::npos ? slash : slash - 1);
    if (slash != std::string::npos) target.key = path->substr(slash + 1);
    target.path = std::move(*path);
    return target;
}

}  // namespace zcdp::services::serve
