#include "list_page.hpp"

namespace zcdp::services::serve {

namespace {

/// The common prefix that `key` is rolled up into; empty when it is listed itself.
std::string_view common_prefix(std::string_view key, std::string_view prefix, std::string_view delimiter) {
    if (delimiter.empty() || !key.starts_with(prefix)) return {};
    const size_t at = key.find(delimiter, prefix.size());
    return at == std::string_view::npos ? std::string_view() : key.substr(0, at + delimiter.size());
}

/// Adds the key the cursor stands on, or its common prefix, and sets where to go on behind it.
Result<> take(const ListQuery& query, KeyCursor& cursor, ListPage& page) {
    const std::string& key = cursor.key();
    if (const std::string_view rolled = common_prefix(key, query.prefix, query.delimiter); !rolled.empty()) {
        page.next_from = successor_of_prefix(rolled);
        page.entries.push_back({std::string(rolled), true, {}});
        return {};
    }
    auto stat = cursor.stat();
    if (!stat && stat.error().kind() == ErrorKind::not_found) return {};
    if (!stat) return std::move(stat).error();
    page.next_from = key + '\0';
    page.entries.push_back({key, false, *stat});
    return {};
}

}  // namespace

std::string successor_of_prefix(std::string_view prefix) {
    std::string next(prefix);
    while (!next.empty() && next.back() == '\xff') next.pop_back();
    if (!next.empty()) next.back() = static_cast<char>(static_cast<unsigned char>(next.back()) + 1);
    return next;
}

std::string after_marker(std::string_view marker, std::string_view prefix, std::string_view delimiter) {
    if (marker.empty()) return {};
    if (common_prefix(marker, prefix, delimiter) == marker) return successor_of_prefix(marker);
    return std::string(marker) + '\0';
}

Result<ListPage> list_page(const ListQuery& query, KeyCursor& cursor) {
    ListPage page;
    if (query.max_keys == 0) return page;
    cursor.seek(query.from > query.prefix ? query.from : query.prefix);
    while (true) {
        ZCDP_TRY(const auto step, cursor.next());
        if (step == KeyCursor::Step::end) return page;
        if (step == KeyCursor::Step::paused) {
            if (page.entries.empty() && !query.may_pause) {
                cursor.go_on();
                continue;
            }
            if (page.entries.empty() || query.may_pause) page.next_from = cursor.position();
            page.truncated = true;
            return page;
        }
        if (!cursor.key().starts_with(query.prefix)) return page;
        if (page.entries.size() == query.max_keys) {
            page.truncated = true;
            return page;
        }
        const size_t before = page.entries.size();
        ZCDP_CHECK(take(query, cursor, page));
        if (page.entries.size() > before && page.entries.back().is_common_prefix) {
            if (page.next_from.empty()) return page;
            cursor.seek(page.next_from);
        }
    }
}

}  // namespace zcdp::services::serve
