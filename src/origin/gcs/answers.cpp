#include "src/origin/gcs/answers.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "src/origin/remote/answers.hpp"
#include "src/origin/remote/token.hpp"
#include "zcdp/base/base64.hpp"

namespace zcdp::origin::gcs {
namespace {

namespace json = boost::json;

Result<json::object> parse(std::string_view body) { return parse_json_object(body, "the answer", ErrorKind::refused); }

ObjectChecksum checksum(ObjectChecksum::Kind kind, std::string_view base64) {
    const size_t bytes = kind == ObjectChecksum::Kind::crc32c ? 4 : 16;
    auto raw = from_base64(base64);
    if (!raw || raw->size() != bytes) return {};
    ObjectChecksum out;
    out.kind = kind;
    out.raw = std::move(*raw);
    return out;
}

Result<Entry> entry_of(const json::object& item) {
    Entry entry;
    entry.path = text_of(item, "name");
    if (entry.path.empty()) return Error(ErrorKind::refused, "the listing has an object without a name");
    if (!number_of(item, "size", entry.size_bytes))
        return Error(ErrorKind::refused, "the listing has an object without a size", entry.path);
    entry.tag = Tag(text_of(item, "generation"));
    if (entry.path.back() == '/') entry.kind = EntryKind::directory;
    if (entry.tag.empty() && entry.kind == EntryKind::file)
        return Error(ErrorKind::refused, "the listing has an object without a generation", entry.path);
    return entry;
}

}  // namespace

ErrorAnswer parse_error(int status, std::string_view body) {
    ErrorAnswer out;
    out.status = status;
    out.came_as_success = status / 100 == 2;
    const auto answer = parse(body);
    const json::value* error = answer ? answer->if_contains("error") : nullptr;
    uint64_t code = 0;
    const bool has_code =
        error && error->is_object() && number_of(error->get_object(), "code", code) && code >= 400 && code < 600;
    if (out.came_as_success) out.status = has_code ? static_cast<int>(code) : 500;
    if (!error || !error->is_object()) return out;
    out.message = text_of(error->get_object(), "message");
    out.wants_payer = out.message.find("requester pays") != std::string::npos;
    if (const json::value* list = error->get_object().if_contains("errors");
        list && list->is_array() && !list->get_array().empty())
        if (const json::value& first = list->get_array().front(); first.is_object())
            out.reason = text_of(first.get_object(), "reason");
    return out;
}

bool is_refusal(std::string_view body) {
    const auto answer = parse(body);
    const json::value* error = answer ? answer->if_contains("error") : nullptr;
    return error && error->is_object();
}

RetryDecision::Action action_of(const ErrorAnswer& answer) {
    using Action = RetryDecision::Action;
    const bool rate = answer.reason == "rateLimitExceeded" || answer.reason == "userRateLimitExceeded";
    if (answer.status == 429 || answer.status == 503 || (answer.status == 403 && rate)) return Action::slow_down;
    if (answer.status == 408 || (answer.status >= 500 && answer.status != 501)) return Action::retry;
    return Action::none;
}

Error error_of(const ErrorAnswer& answer, const std::string& object) {
    const std::string what = words_of_refusal(answer.came_as_success, answer.status, answer.reason, answer.message);
    switch (answer.status) {
        case 404:
            return Error(ErrorKind::not_found, "there is no such object or bucket: " + what, object,
                         "check the names and the --endpoint");
        case 401:
        case 403:
            if (action_of(answer) == RetryDecision::Action::slow_down) break;
            return Error(
                ErrorKind::denied, "access is denied: " + what, object,
                "check the credentials (GOOGLE_APPLICATION_CREDENTIALS) and the roles storage.objects.list and .get");
        case 400:
            if (!answer.wants_payer) break;
            return Error(ErrorKind::denied, "who asks pays for this bucket: " + what, object,
                         "give --billing-project PROJECT");
        default: break;
    }
    if (action_of(answer) == RetryDecision::Action::slow_down)
        return Error(ErrorKind::throttled, "the origin asks for fewer requests: " + what, object);
    return error_of_status(answer.status, what, object);
}

Result<ObjectInfo> parse_object(std::string_view body) {
    ZCDP_TRY(const json::object object, parse(body));
    ObjectInfo info;
    info.tag = Tag(text_of(object, "generation"));
    if (info.tag.empty() || !number_of(object, "size", info.size_bytes))
        return Error(ErrorKind::refused, "the object's description has no size or generation");
    info.checksum = checksum(ObjectChecksum::Kind::crc32c, text_of(object, "crc32c"));
    if (info.checksum.kind == ObjectChecksum::Kind::none)
        info.checksum = checksum(ObjectChecksum::Kind::md5, text_of(object, "md5Hash"));
    return info;
}

ObjectChecksum checksum_of(std::string_view x_goog_hash) {
    ObjectChecksum md5;
    for (size_t begin = 0; begin < x_goog_hash.size();) {
        const size_t end = std::min(x_goog_hash.find(',', begin), x_goog_hash.size());
        std::string_view one = x_goog_hash.substr(begin, end - begin);
        while (one.starts_with(' ')) one.remove_prefix(1);
        if (one.starts_with("crc32c=")) {
            if (auto crc = checksum(ObjectChecksum::Kind::crc32c, one.substr(7));
                crc.kind != ObjectChecksum::Kind::none)
                return crc;
        } else if (one.starts_with("md5=")) {
            md5 = checksum(ObjectChecksum::Kind::md5, one.substr(4));
        }
        begin = end + 1;
    }
    return md5;
}

Result<> ListParser::feed(std::string_view bytes) {
    body_.append(bytes);  // the listing keeps pages to a limit
    return {};
}

Result<ListPage> ListParser::finish() {
    ZCDP_TRY(const json::object page, parse(body_));
    if (const json::value* error = page.if_contains("error"); error && error->is_object())
        return Error(ErrorKind::refused, "the listing is an error");
    ListPage out;
    if (const json::value* items = page.if_contains("items"); items && items->is_array())
        for (const json::value& item : items->get_array()) {
            if (!item.is_object()) return Error(ErrorKind::refused, "the listing has an item that is no object");
            ZCDP_TRY(Entry entry, entry_of(item.get_object()));
            if (!after_.empty() && entry.path == after_) continue;
            out.entries.push_back(std::move(entry));
        }
    if (const json::value* prefixes = page.if_contains("prefixes"); prefixes && prefixes->is_array())
        for (const json::value& prefix : prefixes->get_array())
            if (prefix.is_string()) out.prefixes.emplace_back(prefix.get_string());
    out.next_token = text_of(page, "nextPageToken");
    out.truncated = !out.next_token.empty();
    return out;
}

}  // namespace zcdp::origin::gcs
