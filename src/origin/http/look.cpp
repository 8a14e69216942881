#include "src/origin/http/look.hpp"

#include <fmt/format.h>

#include "src/origin/http/http_protocol.hpp"
#include "src/origin/http/index.hpp"
#include "src/origin/remote/answers.hpp"

namespace zcdp::origin::http {
namespace {

constexpr size_t kPageBytesMax = 64 << 20, kPeekBytes = 64 << 10;

Call call_of(const std::string& method, const std::string& key, std::shared_ptr<Journey> journey) {
    Call call;
    call.method = method, call.key = ObjectKey(key), call.journey = std::move(journey);
    return call;
}

Result<> check_encoding(const net::Response& answer, const std::string& name) {
    const std::string_view encoding = answer.header("content-encoding");
    if (encoding.empty() || encoding == "identity") return {};
    return Error(ErrorKind::refused, "is sent as " + printable(encoding) + ", which was not asked for", name,
                 "have the server heed Accept-Encoding: identity");
}

/// A body that ends where the connection does may have been cut there: then the page must come to its own end.
bool is_framed(const net::Response& answer) {
    return answer.body_bytes() || !answer.header("transfer-encoding").empty();
}

bool ends_itself(std::string_view body) {
    const std::string_view end = body.substr(body.size() - std::min<size_t>(body.size(), 200));
    for (const std::string_view mark : {"</html", "</HTML", "</body", "</BODY", "</pre", "</PRE", "</ul", "</UL", "]"})
        if (end.find(mark) != end.npos) return true;
    return false;
}

/// All of a body, counted.
Task<Result<uint64_t>> count(Requester& requester, net::Response& answer) {
    std::vector<std::byte> buffer(256 << 10);
    Remote& remote = requester.remote();
    for (uint64_t total = 0;;) {
        ZCDP_CO_TRY(const size_t got, co_await answer.read_some(buffer));
        if (got == 0) co_return total;
        total += got;
        remote.bytes.add(got);
        if (remote.options.bytes_per_second == 0) continue;
        if (const uint64_t rest = remote.limiter.rest_ms(got, remote.machine.clock.monotonic_ns()); rest > 0)
            co_await sleep_ms(rest);
    }
}

/// A file that nobody says the size of: what it takes to read it is the answer.
Task<Result<ObjectInfo>> measure(Surroundings around, std::string key) {
    const std::string name = name_in(*around.shared, key);
    const bool has_digest = !around.shared->claim_of(key).sha256.empty();
    for (uint32_t attempt = 1;; ++attempt) {
        ZCDP_CO_TRY(const auto answer, co_await around.requester->send(call_of("GET", key, nullptr)));
        if (!is_framed(*answer) && !has_digest)
            co_return Error(ErrorKind::refused, "does not say its size, nor where it ends", name,
                            "give --sha256 or a SHA256SUMS; a folder's URL ends in /");
        const auto total = co_await count(*around.requester, *answer);
        if (total) co_return info_from(*around.shared, *answer, key, *total);
        const bool again = co_await around.requester->retry_after(total.error(), attempt);
        if (!again) co_return Error(total.error()).about(name);
    }
}

/// The beginning of what is there instead of, or as, the file.
Task<Result<Page>> peek(Surroundings around, std::string key) {
    const auto journey = std::make_shared<Journey>();
    Call call = call_of("GET", key, journey);
    call.headers.emplace_back("Range", fmt::format("bytes=0-{}", kPeekBytes - 1));
    ZCDP_CO_TRY(const auto answer, co_await around.requester->send(std::move(call)));
    Page page{"", std::string(answer->header("content-type")), "", journey->url};
    page.body.resize(kPeekBytes);
    size_t have = 0;
    while (have < page.body.size()) {
        const auto got = co_await answer->read_some(std::as_writable_bytes(std::span(page.body).subspan(have)));
        if (!got) co_return Error(got.error()).about(name_in(*around.shared, key));
        if (*got == 0) break;
        have += *got;
    }
    page.body.resize(have);
    page.is_cut = have == kPeekBytes;
    if (page.url.empty()) page.url = around.shared->endpoint.url() + around.shared->target_of(key);
    co_return page;
}

/// A file that comes as HTML and is not named so: an index, or a page to log in at?
Task<Result<bool>> is_index(Surroundings around, std::string key, bool was_redirected) {
    ZCDP_CO_TRY(const Page page, co_await peek(around, key));
    const std::string name = name_in(*around.shared, key);
    ZCDP_CO_TRY(const Place place, Place::parse(page.url));
    const auto index = parse_index(page.body, page.content_type, place, true);
    if (!index) co_return false;  // whatever it is, it lists no folder
    if (index->asks_for_password && was_redirected)
        co_return Error(ErrorKind::denied, "answers a page that asks for a password", name,
                        "set ZCDP_HTTP_TOKEN, or ZCDP_HTTP_USER and ZCDP_HTTP_PASSWORD");
    ZCDP_CO_TRY(const Place asked, Place::parse(around.shared->endpoint.url() + around.shared->target_of(key)));
    const bool of_it = place.segments() == asked.segments();
    co_return index->says_so && (!index->names.empty() || (of_it && index->names_itself));
}

}  // namespace

Task<Result<Page>> fetch_page(Surroundings around, std::string target, std::string key) {
    const std::string name = name_in(*around.shared, key), url = around.shared->endpoint.url() + target;
    for (uint32_t attempt = 1;; ++attempt) {
        const auto journey = std::make_shared<Journey>();
        Call call = call_of("GET", key, journey);
        call.location = url;
        call.body_bytes = kPageBytesMax;
        ZCDP_CO_TRY(const auto answer, co_await around.requester->send(std::move(call)));
        ZCDP_CO_CHECK(check_encoding(*answer, name));
        auto body = co_await answer->read_all(kPageBytesMax);
        if (body && !is_framed(*answer) && !ends_itself(*body))
            body = Error(ErrorKind::unreachable, "the page may have been cut off: it does not come to its end");
        if (body)
            co_return Page{std::move(*body), std::string(answer->header("content-type")),
                           std::string(answer->header("link")), journey->url.empty() ? url : journey->url};
        const bool again = co_await around.requester->retry_after(body.error(), attempt);
        if (!again) co_return std::move(body).error().about(name);
    }
}

Task<Result<Looked>> look(Surroundings around, std::string key, bool may_be_folder) {
    const auto journey = std::make_shared<Journey>();
    journey->ends_at_folder = may_be_folder;
    Call call = call_of("HEAD", key, journey);
    auto answer = co_await around.requester->send_for_size(call);
    // Who says 0 to a HEAD may say another size to a GET.
    if (answer && object_bytes_of(**answer) == 0 && call.method == "HEAD")
        answer = co_await around.requester->send(call_of("GET", key, journey));
    if (!answer && journey->at_folder) co_return Looked{{}, true};
    if (!answer) co_return std::move(answer).error();
    const auto size = object_bytes_of(**answer);
    auto info = size ? info_from(*around.shared, **answer, key, *size) : Result<ObjectInfo>(ObjectInfo());
    const std::string type((*answer)->header("content-type"));
    answer->reset();
    if (around.shared->kind != Kind::tree && around.shared->claim_of(key).sha256.empty() && is_html_or_json(type)) {
        const bool is_page = is_html(type) && !is_named_as_page(key);
        if (!journey->url.empty() &&
            is_folder_of(journey->url, around.shared->endpoint.url() + around.shared->target_of(key)))
            co_return Looked{{}, true};
        if (is_page) {
            ZCDP_CO_TRY(const bool folder, co_await is_index(around, key, !journey->url.empty()));
            if (folder) co_return Looked{{}, true};
        }
    }
    if (!info) co_return std::move(info).error();
    if (!size) {
        ZCDP_CO_TRY(info.value(), co_await measure(around, key));
    }
    co_return Looked{std::move(*info), false};
}

}  // namespace zcdp::origin::http
