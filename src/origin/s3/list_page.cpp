#include "src/origin/s3/list_page.hpp"

#include <charconv>

#include "src/origin/remote/answers.hpp"

namespace zcdp::origin::s3 {
namespace {

/// S3 answers with at most 1,000; some services take a larger max-keys.
constexpr size_t kPageItemsMax = 10'000;

}  // namespace

Result<> ListParser::bad(std::string_view what) const {
    return Error(ErrorKind::refused, "malformed listing: " + std::string(what));
}

Result<> ListParser::feed(std::string_view bytes) {
    reader_.feed(bytes);
    return run();
}

Result<> ListParser::run() {
    return read_events(
        reader_, [this](std::string_view name) { start(name); }, [this](std::string_view text) { if (inside_ != Inside::other) text_.assign(text); },
        [this](std::string_view name) { return end(name); });
}

void ListParser::start(std::string_view name) {
    text_.clear();
    if (reader_.depth() == 1) inside_ = name == "ListBucketResult" ? Inside::root : Inside::other;
    if (reader_.depth() != 2 || inside_ == Inside::other) return;
    if (name == "Contents") {
        inside_ = Inside::object;
        entry_ = Entry{};
        key_seen_ = size_seen_ = false;
    } else if (name == "CommonPrefixes") {
        inside_ = Inside::prefix;
    }
}

Result<> ListParser::end(std::string_view name) {
    if (inside_ == Inside::other) return {};
    if (reader_.depth() == 1) {
        const Inside was = inside_;
        inside_ = Inside::root;
        if (was == Inside::object) return end_of_object();
        return was == Inside::root ? root_field(name) : Result<>{};
    }
    if (reader_.depth() != 2) return {};
    if (inside_ == Inside::object) return object_field(name);
    if (inside_ == Inside::prefix && name == "Prefix") {
        if (page_.prefixes.size() == kPageItemsMax) return bad("more than 10,000 prefixes in a page");
        page_.prefixes.push_back(std::move(text_));
    }
    return {};
}

Result<> ListParser::root_field(std::string_view name) {
    if (name == "IsTruncated") page_.truncated = text_ == "true";
    if (name == "NextContinuationToken") page_.next_token = text_;
    if (name == "EncodingType") {
        // Some services (versitygw) name none when they do not encode.
        if (!text_.empty() && text_ != "url") return bad("EncodingType is '" + printable(text_) + "'");
        url_encoded_ = !text_.empty();
    }
    return {};
}

Result<> ListParser::object_field(std::string_view name) {
    if (name == "Key") {
        entry_.path = std::move(text_);
        key_seen_ = true;
    } else if (name == "ETag") {
        entry_.tag = plain_tag(text_);
    } else if (name == "Size") {
        const char* end = text_.data() + text_.size();
        const auto [stop, error] = std::from_chars(text_.data(), end, entry_.size_bytes);
        if (error != std::errc{} || stop != end) return bad("Size is '" + printable(text_) + "'");
        size_seen_ = true;
    }
    return {};
}

Result<> ListParser::end_of_object() {
    if (!key_seen_) return bad("an object without a Key");
    if (!size_seen_) return Error(ErrorKind::refused, "malformed listing: no Size", entry_.path);
    if (entry_.tag.empty())
        return Error(ErrorKind::refused, "the listing has no ETag, so a change could not be noticed", entry_.path);
    if (page_.entries.size() == kPageItemsMax) return bad("more than 10,000 objects in a page");
    if (page_.entries.empty()) page_.entries.reserve(1000);
    page_.entries.push_back(std::move(entry_));
    return {};
}

Result<> ListParser::decode_keys() {
    if (url_encoded_) {
        for (Entry& entry : page_.entries)
            if (!percent_decode(entry.path, true)) return bad("a key that is not URL-encoded: " + printable(entry.path));
        for (std::string& prefix : page_.prefixes)
            if (!percent_decode(prefix, true)) return bad("a prefix that is not URL-encoded: " + printable(prefix));
    }
    for (Entry& entry : page_.entries)
        if (entry.path.ends_with('/')) entry.kind = EntryKind::directory;
    return {};
}

Result<ListPage> ListParser::finish() {
    reader_.finish();
    ZCDP_CHECK(run());
    if (inside_ == Inside::other) return Error(ErrorKind::refused, "malformed listing: the root is no ListBucketResult");
    ZCDP_CHECK(decode_keys());
    if (page_.truncated && page_.next_token.empty())
        return Error(ErrorKind::refused, "malformed listing: truncated, but no token for the rest");
    return std::move(page_);
}

}  // namespace zcdp::origin::s3
