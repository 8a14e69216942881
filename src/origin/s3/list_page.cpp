#include "src/origin/s3/list_page.hpp"

#include "src/origin/remote/answers.hpp"
#include "src/origin/s3/url_form.hpp"
#include "zcdp/base/ascii.hpp"

namespace zcdp::origin::s3 {
namespace {

/// S3 answers with at most 1,000; some services take a larger max-keys.
constexpr size_t kPageItemsMax = 10'000;
constexpr size_t kRefusalBytesMax = 1 << 20;  // white space before it keeps the connection awake
constexpr std::string_view kBlanks = " \t\r\n";

}  // namespace

Result<> ListParser::bad(std::string_view what) const {
    return Error(ErrorKind::refused, "malformed listing: " + std::string(what));
}

Result<> ListParser::feed(std::string_view bytes) {
    reader_.feed(bytes);
    auto read = run();
    if (inside_ != Inside::refusal && inside_ != Inside::other) beginning_.clear();
    else if (beginning_.size() < kRefusalBytesMax) beginning_.append(bytes);
    return read;
}

Result<> ListParser::run() {
    return read_events(
        reader_, [this](std::string_view name) { start(name); },
        [this](std::string_view text) {
            if (inside_ != Inside::other) text_.append(text);
        },
        [this](std::string_view name) { return end(name); });
}

void ListParser::start(std::string_view name) {
    text_.clear();
    // ListBucketResult; Google's XML API and some gateways have names of their own.
    if (reader_.depth() == 1)
        inside_ = name == "Error" ? Inside::refusal : name.starts_with("ListBucket") ? Inside::root : Inside::other;
    if (reader_.depth() != 2 || inside_ == Inside::other || inside_ == Inside::refusal) return;
    if (name == "Contents") {
        inside_ = Inside::object;
        entry_ = Entry{};
        modified_.clear();
        key_seen_ = size_seen_ = false;
    } else if (name == "CommonPrefixes") {
        inside_ = Inside::prefix;
    }
}

Result<> ListParser::end(std::string_view name) {
    if (inside_ == Inside::other || inside_ == Inside::refusal) return {};
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
    if (name == "IsTruncated") return truncated_field();
    if (name == "NextContinuationToken") page_.next_token = text_;
    if (name == "NextMarker") next_marker_ = text_;
    if (name == "EncodingType") {
        // Some services (versitygw) name none when they do not encode.
        const std::string_view type = trimmed(text_, kBlanks);
        if (!type.empty() && type != "url" && type != "URL") return bad("EncodingType is '" + printable(text_) + "'");
        url_encoded_ = !type.empty();
    }
    return {};
}

/// "true" and "false" of S3, "1" and "0" and capitals of others: a word that is none of them could be taken for the
/// last page's.
Result<> ListParser::truncated_field() {
    const std::string word = to_lower(trimmed(text_, kBlanks));
    const bool yes = word == "true" || word == "1", no = word == "false" || word == "0";
    if (!yes && !no) return bad("IsTruncated is '" + printable(text_) + "'");
    page_.truncated = yes, truncation_said_ = true;
    return {};
}

Result<> ListParser::object_field(std::string_view name) {
    if (name == "Key") {
        entry_.path = std::move(text_);
        key_seen_ = true;
    } else if (name == "ETag") {
        entry_.tag = plain_tag(trimmed(text_, kBlanks));
    } else if (name == "LastModified") {
        modified_ = trimmed(text_, kBlanks);
    } else if (name == "Size") {
        const std::string_view size = trimmed(text_, kBlanks);
        if (!to_number(size, entry_.size_bytes)) return bad("Size is '" + printable(text_) + "'");
        size_seen_ = true;
    }
    return {};
}

/// A folder's marker holds no bytes: it needs neither size nor tag.
Result<> ListParser::end_of_object() {
    if (!key_seen_) return bad("an object without a Key");
    const bool is_marker = entry_.path.ends_with('/') || entry_.path.ends_with("%2F") || entry_.path.ends_with("%2f");
    if (!size_seen_ && !is_marker) return Error(ErrorKind::refused, "malformed listing: no Size", entry_.path);
    if (entry_.tag.empty() && !is_marker) entry_.tag = time_tag(modified_);
    if (entry_.tag.empty() && !is_marker)
        return Error(ErrorKind::refused,
                     "the listing has neither ETag nor LastModified, so a change could not be noticed", entry_.path);
    if (page_.entries.size() == kPageItemsMax) return bad("more than 10,000 objects in a page");
    if (page_.entries.empty()) page_.entries.reserve(1000);
    page_.entries.push_back(std::move(entry_));
    return {};
}

void ListParser::decode_keys() {
    if (url_encoded_) {
        UrlForm form;
        for (const Entry& entry : page_.entries) form.see(entry.path);
        for (const std::string& prefix : page_.prefixes) form.see(prefix);
        form.see(next_marker_);
        const bool plus = form.plus_is_space();
        if (form.is_encoded()) {
            for (Entry& entry : page_.entries) percent_decode(entry.path, plus);
            for (std::string& prefix : page_.prefixes) percent_decode(prefix, plus);
            percent_decode(next_marker_, plus);
        }
    }
    for (Entry& entry : page_.entries)
        if (entry.path.ends_with('/')) entry.kind = EntryKind::directory;
}

/// A page of the older ListObjects, which some services answer whatever was asked: it goes on after a key.
void ListParser::finish_token() {
    if (!truncation_said_) page_.truncated = !page_.next_token.empty() || !next_marker_.empty();
    if (!page_.truncated || !page_.next_token.empty()) return;
    page_.token_is_key = true;
    page_.next_token = std::move(next_marker_);
    if (page_.next_token.empty() && !page_.entries.empty()) page_.next_token = page_.entries.back().path;
    if (!page_.prefixes.empty() && page_.next_token < page_.prefixes.back()) page_.next_token = page_.prefixes.back();
}

Result<ListPage> ListParser::finish() {
    reader_.finish();
    ZCDP_CHECK(run());
    if (inside_ == Inside::refusal) return Error(ErrorKind::refused, "malformed listing: an error");
    if (inside_ == Inside::other)
        return Error(ErrorKind::refused, "malformed listing: the root is no ListBucketResult");
    decode_keys();
    finish_token();
    if (page_.truncated && page_.next_token.empty())
        return Error(ErrorKind::refused, "malformed listing: truncated, but no token for the rest");
    return std::move(page_);
}

}  // namespace zcdp::origin::s3
