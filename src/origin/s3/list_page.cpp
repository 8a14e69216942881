#include "src/origin/s3/list_page.hpp"

#include "src/origin/remote/answers.hpp"

namespace zcdp::origin::s3 {
namespace {

/// S3 answers with at most 1,000; some services take a larger max-keys.
constexpr size_t kPageItemsMax = 10'000;

/// White space around a number or a word; a key's own is its.
std::string_view trimmed(std::string_view text) {
    const size_t begin = text.find_first_not_of(" \t\r\n");
    if (begin == text.npos) return {};
    return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

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
        reader_, [this](std::string_view name) { start(name); }, [this](std::string_view text) { if (inside_ != Inside::other) text_.append(text); },
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
    if (name == "IsTruncated") return truncated_field();
    if (name == "NextContinuationToken") page_.next_token = text_;
    if (name == "Marker") marker_seen_ = true;
    if (name == "NextMarker") next_marker_ = text_;
    if (name == "EncodingType") {
        // Some services (versitygw) name none when they do not encode.
        if (!text_.empty() && text_ != "url") return bad("EncodingType is '" + printable(text_) + "'");
        url_encoded_ = !text_.empty();
    }
    return {};
}

/// "true" and "false" of S3, "1" and "0" and capitals of others: a word that is none of them could be taken for the last page's.
Result<> ListParser::truncated_field() {
    std::string word(trimmed(text_));
    for (char& c : word) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    const bool yes = word == "true" || word == "1", no = word == "false" || word == "0";
    if (!yes && !no) return bad("IsTruncated is '" + printable(text_) + "'");
    page_.truncated = yes, truncated_seen_ = true;
    return {};
}

Result<> ListParser::object_field(std::string_view name) {
    if (name == "Key") {
        entry_.path = std::move(text_);
        key_seen_ = true;
    } else if (name == "ETag") {
        entry_.tag = plain_tag(trimmed(text_));
    } else if (name == "Size") {
        if (!to_number(trimmed(text_), entry_.size_bytes)) return bad("Size is '" + printable(text_) + "'");
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
        if (!percent_decode(next_marker_, true)) return bad("a marker that is not URL-encoded: " + printable(next_marker_));
    }
    for (Entry& entry : page_.entries)
        if (entry.path.ends_with('/')) entry.kind = EntryKind::directory;
    return {};
}

/// docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjects.html: NextMarker where there was a delimiter, else the last key.
void ListParser::go_on_by_marker() {
    page_.next_token = std::move(next_marker_);
    if (page_.next_token.empty() && !page_.entries.empty()) page_.next_token = page_.entries.back().path;
    if (!page_.prefixes.empty() && page_.next_token < page_.prefixes.back()) page_.next_token = page_.prefixes.back();
    *by_marker_ = !page_.next_token.empty();
}

Result<ListPage> ListParser::finish() {
    reader_.finish();
    ZCDP_CHECK(run());
    if (inside_ == Inside::other) return Error(ErrorKind::refused, "malformed listing: the root is no ListBucketResult");
    ZCDP_CHECK(decode_keys());
    if (!truncated_seen_) page_.truncated = !page_.next_token.empty();
    if (page_.truncated && page_.next_token.empty() && marker_seen_ && by_marker_) go_on_by_marker();
    if (page_.truncated && page_.next_token.empty())
        return Error(ErrorKind::refused, "malformed listing: truncated, but no token for the rest");
    return std::move(page_);
}

}  // namespace zcdp::origin::s3
