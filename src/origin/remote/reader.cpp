// What a server sends is not always what it lists: Google unpacks objects that are kept packed, proxies pack what
// passes, gateways pass over ranges, and several servers behind one name disagree. RFC 9110 8.4 (codings), 14.2 (a
// server may ignore Range), cloud.google.com/storage/docs/transcoding.
#include "src/origin/remote/reader.hpp"

#include <fmt/format.h>

#include "src/origin/remote/answers.hpp"
#include "src/origin/remote/range_check.hpp"
#include "zcdp/base/digest.hpp"
#include "zcdp/base/faults.hpp"

namespace zcdp::origin {
namespace {

/// So often a server that contradicts itself is asked: another of several behind one name may know the tag.
constexpr int kContradictionsMax = 3;

/// The error of a tag, for explain().
Error changed(const std::string& what, const std::string& object) {
    return Error(ErrorKind::source_changed, "changed while it was being read: " + what, object);
}

bool is_whole(const ReadSpec& spec) { return spec.offset_bytes == 0 && spec.length_bytes == spec.object_bytes; }

/// " (it comes with Content-Encoding: gzip)", or nothing.
std::string coding_of(const net::Response& answer) {
    const std::string_view coding = answer.header("content-encoding"),
                           done = answer.header("x-guploader-response-body-transformations");
    if (!done.empty()) return " (the service sends it " + printable(done) + ")";
    return coding.empty() || coding == "identity" ? "" : " (it comes with Content-Encoding: " + printable(coding) + ")";
}

/// Whether the service unpacked on the way what it keeps packed, which it does for those who do not take it packed.
bool was_unpacked(const net::Response& answer) {
    return answer.header("x-guploader-response-body-transformations").find("gunzipped") != std::string_view::npos;
}

void set_header(Call& call, std::string_view name, std::string value) {
    for (auto& [have, old] : call.headers)
        if (have == name) {
            old = std::move(value);
            return;
        }
    call.headers.emplace_back(name, std::move(value));
}

}  // namespace

Error other_bytes(const net::Response& answer, const std::string& what, const std::string& object) {
    return Error(
        ErrorKind::refused, "other bytes come than are listed: " + what + coding_of(answer), object,
        "something on the way packs, unpacks or rewrites it: ask the service itself, or leave it out with --exclude");
}

Task<Result<ObjectInfo>> Reader::head(std::string path) {
    ZCDP_CO_TRY(auto info, co_await requester_->head(key_of(path)));
    info.has_ranges = requester_->remote().has_ranges(info.has_ranges);
    co_return info;
}

/// A service that does not know the question refuses it, or answers for the whole object.
Task<Result<uint64_t>> Reader::part_bytes(std::string path, Tag tag, uint32_t number) {
    const auto call = requester_->protocol().part_call(key_of(path), number);
    if (!call) co_return uint64_t{0};
    const auto answer = co_await requester_->send(*call);
    if (!answer && answer.error().kind() != ErrorKind::failed && answer.error().kind() != ErrorKind::denied &&
        answer.error().kind() != ErrorKind::source_changed)
        co_return answer.error();
    if (!answer) co_return uint64_t{0};
    if (const Tag now = requester_->protocol().tag_like(**answer, tag); !now.empty() && now != tag)
        co_return changed(fmt::format("its {} is {} now", requester_->protocol().tag_word(), printable(now.str())),
                          name_of(path));
    co_return (*answer)->body_bytes().value_or(0);
}

Task<Result<Opened>> Reader::open(ReadSpec spec) {
    const uint64_t checked_bytes = requester_->protocol().checked_range_bytes();
    // A long object is asked for by a range even if it is all of it: the answer tells whether the server has ranges.
    const bool whole = is_whole(spec) && checked_bytes == 0 && spec.object_bytes <= kChunkBytes;
    spec.length_bytes =
        request_end(spec.offset_bytes, spec.offset_bytes + spec.length_bytes, checked_bytes) - spec.offset_bytes;
    Call call = requester_->protocol().read_call(key_of(spec.path), spec, whole);
    call.body_bytes = spec.length_bytes + (spec.one_pass ? spec.offset_bytes : 0);
    if (!whole)
        call.headers.emplace_back(
            "Range", fmt::format("bytes={}-{}", spec.offset_bytes, spec.offset_bytes + spec.length_bytes - 1));
    bool takes_packed = false;
    int contradictions = 0;
    for (uint32_t attempt = 1;; ++attempt) {
        auto sent = co_await requester_->send(call);
        if (!sent && sent.error().kind() != ErrorKind::source_changed) co_return std::move(sent).error();
        if (sent && was_unpacked(**sent) && !std::exchange(takes_packed, true)) {
            set_header(call, "Accept-Encoding", "gzip");
            continue;
        }
        auto opened = sent ? accept(std::move(*sent), spec, !whole) : Result<Opened>(std::move(sent).error());
        if (opened) co_return opened;
        const ErrorKind said = opened.error().kind();
        const Error error = co_await explain(std::move(opened).error(), spec);
        const bool contradicts = said == ErrorKind::source_changed && error.kind() == ErrorKind::failed;
        // A wrong answer may come from one broken server of many.
        const bool enough = contradicts && ++contradictions == kContradictionsMax;
        const bool again = !enough && co_await requester_->retry_after(error, attempt);
        if (!again) co_return contradicts ? Error(said, error.what(), error.object(), error.hint()) : error;
    }
}

Task<Error> Reader::explain(Error error, ReadSpec spec) {
    const bool other_bytes = error.kind() == ErrorKind::refused;
    if (!other_bytes && error.kind() != ErrorKind::source_changed) co_return error;
    const auto now = co_await head(spec.path);
    // Some services judge the condition before they look whether the object is there at all.
    if (!now) co_return now.error().kind() == ErrorKind::not_found ? now.error() : error;
    if (!now->has_tag(spec.tag) || now->size_bytes != spec.object_bytes)
        co_return other_bytes
            ? Error(ErrorKind::source_changed, "changed while it was being read: " + error.what(), error.object())
            : error;
    if (other_bytes) co_return error;
    co_return Error(ErrorKind::failed,
                    fmt::format("the server contradicts itself: asked what the object is, it states the {} that was "
                                "listed; asked for its bytes, it {}",
                                requester_->protocol().tag_word(), error.what()),
                    error.object(), "are there several servers behind this name, each with tags of its own?");
}

Result<Opened> Reader::accept(std::unique_ptr<net::Response> answer, const ReadSpec& spec, bool part_wanted) const {
    Remote& remote = requester_->remote();
    const bool is_part = answer->status() == 206;
    if (part_wanted && (is_part || !is_whole(spec) || spec.one_pass))
        remote.ranges = is_part ? Remote::Ranges::has : Remote::Ranges::has_none;
    ZCDP_CHECK(check(*answer, spec));
    Protocol& protocol = requester_->protocol();
    auto of_range = protocol.range_checksum_of(*answer);
    if (!of_range) return std::move(of_range).error().about(name_of(spec.path));
    const uint64_t end = spec.offset_bytes + spec.length_bytes;
    auto checksum = protocol.checksum_of(*answer, key_of(spec.path));
    return Opened{std::move(answer),
                  is_part ? 0 : spec.offset_bytes,
                  end,
                  is_part || end == spec.object_bytes,
                  std::move(checksum),
                  std::move(*of_range)};
}

/// Everything the header says against what was asked for.
Result<> Reader::check(const net::Response& answer, const ReadSpec& spec) const {
    const Protocol& protocol = requester_->protocol();
    const Tag tag = requester_->protocol().tag_like(answer, spec.tag);
    if (!spec.tag.empty() && !tag.empty() && tag != spec.tag && !faults::broken("etag"))
        return changed(fmt::format("its {} is {} now", protocol.tag_word(), printable(tag.str())), name_of(spec.path));
    if (answer.status() == 200) return check_whole(answer, spec);
    if (answer.status() == 206) return check_part(answer, spec);
    return Error(ErrorKind::failed, fmt::format("HTTP {} instead of the object", answer.status()), name_of(spec.path));
}

Result<> Reader::check_whole(const net::Response& answer, const ReadSpec& spec) const {
    const auto length = answer.body_bytes();
    if (length && *length != spec.object_bytes && !faults::broken("length"))
        return other_bytes(answer, fmt::format("{} instead of {}", *length, spec.object_bytes), name_of(spec.path));
    if (is_whole(spec) || spec.one_pass) return {};
    return Error(ErrorKind::no_ranges, "the server sends the whole object instead of the range asked for",
                 name_of(spec.path));
}

Result<> Reader::check_part(const net::Response& answer, const ReadSpec& spec) const {
    const auto length = answer.body_bytes();
    const auto range = parse_content_range(answer.header("content-range"));
    if (range && range->total_known && range->total != spec.object_bytes && !faults::broken("range"))
        return other_bytes(answer, fmt::format("{} instead of {}", range->total, spec.object_bytes),
                           name_of(spec.path));
    if (!range || range->first != spec.offset_bytes || range->last != spec.offset_bytes + spec.length_bytes - 1) {
        if (!faults::broken("range"))
            return Error(ErrorKind::failed,
                         "another range than the one asked for: " + printable(answer.header("content-range")),
                         name_of(spec.path));
    }
    if (length && *length != spec.length_bytes && !faults::broken("length"))
        return Error(ErrorKind::failed,
                     fmt::format("{} bytes instead of {}", *length, spec.length_bytes) + coding_of(answer),
                     name_of(spec.path));
    return {};
}

}  // namespace zcdp::origin
