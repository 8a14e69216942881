#include <fmt/format.h>

#include "src/datastore/server/requests.hpp"
#include "zcdp/datastore/key.hpp"

namespace zcdp::datastore {
namespace {

constexpr uint64_t kPageItems = 1'000, kRemovedAtOnce = 1'000;
/// Between two batches of a removal, so that others come in between.
constexpr uint64_t kPauseMs = 1;

Error no_such_key(std::string_view key) {
    return Error(ErrorKind::not_found, "there is no such key", std::string(key));
}

Item folder_item(const std::string& key) {
    Item item;
    item.key = key, item.name = last_segment(key), item.is_directory = true;
    return item;
}

/// "" or a key.
Answered<std::string> prefix_of(const Request& request) {
    const std::string* prefix = request.query_value("prefix");
    if (!prefix || prefix->empty()) return std::string();
    if (!is_key(*prefix)) return Error(ErrorKind::refused, "is no key", *prefix);
    return *prefix;
}

}  // namespace

std::optional<Refused> forbidden(const Parts& parts, const Request& request, Verb verb, std::string_view key) {
    if (!parts.options.authorise || parts.options.authorise(request.user, verb, key)) return std::nullopt;
    parts.counts.denied.add();
    // Who may not look learns nothing.
    if (verb != Verb::put) return Refused(no_such_key(key));
    return Refused(Error(ErrorKind::denied, "may not be written by who asks", std::string(key)));
}

Answered<std::string> key_of(const Parts& parts, const Request& request, Verb verb) {
    const std::string_view key = request.parameter("key");
    if (!is_key(key)) return Error(ErrorKind::refused, "is no key", std::string(key));
    if (auto refused = forbidden(parts, request, verb, key)) return *refused;
    return std::string(key);
}

Task<Response> answer_of(Task<Answered<Response>> answered) {
    auto answer = co_await std::move(answered);
    co_return answer ? std::move(*answer) : refusal(answer.error());
}

void KeyRequests::add_to(net::server::Router& router, const net::server::Access& access) {
    router.add("GET", "/v1/keys", handler_of(*this, &KeyRequests::list), access);
    router.add("GET", "/v1/keys/{key...}", handler_of(*this, &KeyRequests::find), access);
    router.add("DELETE", "/v1/keys/{key...}", handler_of(*this, &KeyRequests::remove), access);
    router.add("GET", "/v1/history/{key...}", handler_of(*this, &KeyRequests::history), access);
}

Task<Answered<Response>> KeyRequests::list(Request& request, RequestBody&) {
    ZCDP_CO_TRY(const std::string prefix, prefix_of(request));
    ZCDP_CO_TRY(const bool recursive, flag_of(request, "recursive"));
    ZCDP_CO_TRY(const auto limit, number_of(request, "limit"));
    if (limit == 0) co_return Refused(Error(ErrorKind::refused, "is too few", "limit"));
    const std::string* after = request.query_value("after");
    if (auto refused = forbidden(parts_, request, Verb::list, prefix)) co_return *refused;
    const auto look = [&] {
        return parts_.keys->list(prefix, recursive, after ? *after : "",
                                 std::min(limit.value_or(kPageItems), kPageItems), parts_.now());
    };
    ZCDP_CO_TRY(const ItemPage page, co_await offload(parts_.pool, look));
    co_return json_response(200, page.json());
}

Answered<Item> KeyRequests::find_now(const std::string& key, uint64_t version) {
    const int64_t now = parts_.now();
    auto item = parts_.keys->find(key, version, now);
    if (item) return std::move(*item);
    if (item.error().kind() != ErrorKind::not_found || version != 0) return std::move(item).error();
    ZCDP_TRY(const bool is_folder, parts_.keys->is_folder(key, now));
    if (is_folder) return folder_item(key);
    return std::move(item).error();
}

Task<Answered<Response>> KeyRequests::find(Request& request, RequestBody&) {
    ZCDP_CO_TRY(const std::string key, key_of(parts_, request, Verb::get));
    ZCDP_CO_TRY(const uint64_t version, number_or_0(request, "version"));
    const auto look = [&] { return find_now(key, version); };
    ZCDP_CO_TRY(const Item item, co_await offload(parts_.pool, look));
    co_return json_response(200, item.json());
}

Task<Answered<Response>> KeyRequests::history(Request& request, RequestBody&) {
    ZCDP_CO_TRY(const std::string key, key_of(parts_, request, Verb::get));
    const auto look = [&] { return parts_.keys->history(key, parts_.now()); };
    ItemPage page;
    ZCDP_CO_TRY(page.items, co_await offload(parts_.pool, look));
    co_return json_response(200, page.json());
}

Task<Answered<Response>> KeyRequests::remove(Request& request, RequestBody&) {
    ZCDP_CO_TRY(const std::string key, key_of(parts_, request, Verb::remove));
    ZCDP_CO_TRY(const bool recursive, flag_of(request, "recursive"));
    const auto remove_one = [&] { return parts_.keys->remove(key, parts_.now()); };
    ZCDP_CO_TRY(uint64_t removed, co_await offload(parts_.pool, remove_one));
    if (recursive) {
        ZCDP_CO_TRY(const uint64_t below, co_await remove_all(key));
        removed += below;
    }
    if (removed == 0) {
        const auto look = [&] { return parts_.keys->is_folder(key, parts_.now()); };
        ZCDP_CO_TRY(const bool is_folder, co_await offload(parts_.pool, look));
        if (!is_folder) co_return Refused(no_such_key(key));
        co_return Refused(kConflict, Error(ErrorKind::refused, "is no key, but a folder of keys", key,
                                           "to remove all that is below it: rm -r"));
    }
    co_return json_response(200, fmt::format("{{\"removed\":{}}}", removed));
}

/// What lies below it, in batches: a transaction each.
Task<Answered<uint64_t>> KeyRequests::remove_all(std::string key) {
    uint64_t removed = 0;
    std::string from;
    do {
        const auto remove_some = [&] { return parts_.keys->remove_below(key, from, kRemovedAtOnce, parts_.now()); };
        ZCDP_CO_TRY(RemovedKeys some, co_await offload(parts_.pool, remove_some));
        removed += some.keys;
        from = std::move(some.next);
        if (!from.empty()) co_await sleep_ms(kPauseMs);
    } while (!from.empty());
    co_return removed;
}

}  // namespace zcdp::datastore
