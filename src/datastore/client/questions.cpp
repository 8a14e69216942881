// stat, list, history and remove: one question each.
#include "src/datastore/client/questions.hpp"

#include <boost/json/object.hpp>

#include "src/datastore/client/on_a_loop.hpp"
#include "zcdp/base/json_parse.hpp"
#include "zcdp/base/percent.hpp"

namespace zcdp::datastore {
namespace {

constexpr size_t kAnswerBytesMost = 64 << 20;  ///< a page of a thousand of the longest keys
constexpr unsigned kDepthMost = 8;
constexpr const char* kPageItems = "1000";

net::Request request_of(std::string method, std::string target) {
    net::Request request;
    request.method = std::move(method), request.target = std::move(target);
    return request;
}

std::string page_target(const std::string& prefix, bool recursive, const std::string& after) {
    std::string target = "/v1/keys?prefix=" + uri_encode(prefix, false) + "&recursive=" + (recursive ? "1" : "0");
    target.append("&limit=").append(kPageItems);
    if (!after.empty()) target += "&after=" + uri_encode(after, false);
    return target;
}

Task<Result<Item>> ask_stat(Client& client, std::string key, uint64_t version) {
    const std::string query = version == 0 ? "" : "version=" + std::to_string(version);
    ZCDP_CO_TRY(const std::string said,
                co_await client.ask(request_of("GET", target_of("keys", key, query)), kAnswerBytesMost));
    co_return parse_item(said);
}

Task<Result<>> ask_list(Client& client, std::string prefix, bool recursive,
                        const std::function<Result<>(const Item&)>& each) {
    for (std::string after;;) {
        ZCDP_CO_TRY(ItemPage page, co_await ask_page(client, prefix, recursive, after));
        for (const Item& item : page.items) ZCDP_CO_CHECK(each(item));
        if (page.next.empty()) co_return Result<>();
        after = std::move(page.next);
    }
}

Task<Result<std::vector<Item>>> ask_history(Client& client, std::string key) {
    ZCDP_CO_TRY(const std::string said,
                co_await client.ask(request_of("GET", target_of("history", key)), kAnswerBytesMost));
    ZCDP_CO_TRY(ItemPage page, parse_item_page(said));
    co_return std::move(page.items);
}

Task<Result<uint64_t>> ask_remove(Client& client, std::string key, bool recursive) {
    const std::string target = target_of("keys", key, recursive ? "recursive=1" : "");
    ZCDP_CO_TRY(const std::string said, co_await client.ask(request_of("DELETE", target), kAnswerBytesMost));
    const auto value = parse_json(said, kDepthMost);
    const auto* removed = value && value->is_object() ? value->get_object().if_contains("removed") : nullptr;
    if (!removed || !removed->is_number())
        co_return Error(ErrorKind::corrupt, "the server's answer does not say how many keys went", key);
    boost::system::error_code wrong;
    const auto count = removed->to_number<uint64_t>(wrong);
    if (wrong) co_return Error(ErrorKind::corrupt, "the server's answer has no number of keys", key);
    co_return count;
}

}  // namespace

Task<Result<ItemPage>> ask_page(Client& client, std::string prefix, bool recursive, std::string after) {
    ZCDP_CO_TRY(const std::string said,
                co_await client.ask(request_of("GET", page_target(prefix, recursive, after)), kAnswerBytesMost));
    ZCDP_CO_TRY(ItemPage page, parse_item_page(said));
    if (!page.next.empty() && page.next == after)
        co_return Error(ErrorKind::corrupt, "the server's listing does not go on", prefix);
    co_return page;
}

Result<Item> stat(const ServerAccess& access, Machine machine, const std::string& key, uint64_t version,
                  std::stop_token stop) {
    return ask_on_a_loop<Item>(access, machine, std::move(stop),
                               [&](Client& client) { return ask_stat(client, key, version); });
}

Result<> list(const ServerAccess& access, Machine machine, const std::string& prefix, bool recursive,
              const std::function<Result<>(const Item&)>& each, std::stop_token stop) {
    return ask_on_a_loop<void>(access, machine, std::move(stop),
                               [&](Client& client) { return ask_list(client, prefix, recursive, each); });
}

Result<std::vector<Item>> history(const ServerAccess& access, Machine machine, const std::string& key,
                                  std::stop_token stop) {
    return ask_on_a_loop<std::vector<Item>>(access, machine, std::move(stop),
                                            [&](Client& client) { return ask_history(client, key); });
}

Result<uint64_t> remove(const ServerAccess& access, Machine machine, const std::string& key, bool recursive,
                        std::stop_token stop) {
    return ask_on_a_loop<uint64_t>(access, machine, std::move(stop),
                                   [&](Client& client) { return ask_remove(client, key, recursive); });
}

}  // namespace zcdp::datastore
