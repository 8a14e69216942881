#include "src/origin/s3/list_page.hpp"

#include <utility>

#include "src/origin/remote/answers.hpp"
#include "src/origin/s3/url_form.hpp"
#include "zcdp/base/ascii.hpp"

namespace zcdp::origin::s3 {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

}  // namespace

// ListBucketResult; Google's XML API and some gateways have names of their own.
ListParser::Root ListParser::root_of(std::string_view name) const {
    return name == "Error" ? Root::refusal : name.starts_with("ListBucket") ? Root::page : Root::other;
}

void ListParser::start(std::string_view name) {
    if (reader_.depth() != 2) return;
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
    if (reader_.depth() == 1) {
        const Inside was = std::exchange(inside_, Inside::root);
        if (was == Inside::object) return end_of_object();
        return was == Inside::root ? root_field(name) : Result<>{};
    }
    if (reader_.depth() != 2) return {};
    if (inside_ == Inside::object) return object_field(name);
    if (inside_ == Inside::prefix && name == "Prefix") return add_prefix(std::move(text_));
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
        entry_.tag = Tag(plain_tag(trimmed(text_, kBlanks)));
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
    return add_entry(std::move(entry_));
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
    ZCDP_CHECK(read_rest());
    if (root_ == Root::refusal) return bad("an error");
    if (root_ != Root::page) return bad("the root is no ListBucketResult");
    decode_keys();
    finish_token();
    if (page_.truncated && page_.next_token.empty()) return bad("truncated, but no token for the rest");
    return std::move(page_);
}

}  // namespace zcdp::origin::s3
