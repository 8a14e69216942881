#include "src/origin/azure/answers.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "src/origin/remote/answers.hpp"
#include "zcdp/base/base64.hpp"

namespace zcdp::origin::azure {
namespace {

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> words) {
    return std::find(words.begin(), words.end(), text) != words.end();
}

/// The status of an error's code (learn.microsoft.com/rest/api/storageservices/common-rest-api-error-codes); what is
/// not listed here is the service's own trouble.
int status_of(std::string_view code) {
    if (is_one_of(code, {"AuthenticationFailed", "AuthorizationFailure", "AuthorizationPermissionMismatch",
                         "InsufficientAccountPermissions"}))
        return 403;
    if (code.ends_with("NotFound")) return 404;
    if (code == "ConditionNotMet") return 412;
    if (code.starts_with("Invalid") || code.starts_with("Unsupported")) return 400;
    return code == "ServerBusy" ? 503 : 500;
}

}  // namespace

ErrorAnswer parse_error(int status, std::string_view code_header, std::string_view body) {
    ErrorAnswer out{status, std::string(code_header), "", false};
    if (auto leaves = xml_leaves(body))
        for (auto& [name, text] : *leaves) {
            if (name == "Code" && out.code.empty()) out.code = std::move(text);
            else if (name == "Message") out.message = text.substr(0, text.find('\n'));
        }
    out.came_as_success = out.status / 100 == 2;
    if (out.came_as_success) out.status = status_of(out.code);
    return out;
}

bool is_unknown_feature(const ErrorAnswer& answer) {
    return is_one_of(answer.code, {"FeatureNotSupported", "UnsupportedHeader"});
}

RetryDecision::Action action_of(const ErrorAnswer& answer) {
    using Action = RetryDecision::Action;
    if (answer.status == 429 || answer.code == "ServerBusy" || answer.code == "TooManyRequests" || answer.status == 503)
        return Action::slow_down;
    if (answer.status == 408 || answer.code == "OperationTimedOut" || (answer.status >= 500 && answer.status != 501))
        return Action::retry;
    return Action::none;
}

Error error_of(const ErrorAnswer& answer, const std::string& object) {
    const std::string what = words_of_refusal(answer.came_as_success, answer.status, answer.code, answer.message);
    if (is_one_of(answer.code, {"BlobArchived", "BlobBeingRehydrated"}))
        return Error(ErrorKind::refused, "is in the archive tier: " + what, object,
                     "rehydrate it to the hot or cool tier first");
    switch (answer.status) {
        case 404:
            return Error(ErrorKind::not_found, "there is no such blob, container or account: " + what, object,
                         "check the names and the --endpoint");
        case 401:
        case 403:
            return Error(ErrorKind::denied, "access is denied: " + what, object,
                         "check the credentials (AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN, or the role Storage Blob "
                         "Data Reader)");
        case 409:
            if (answer.code == "PublicAccessNotPermitted")
                return Error(ErrorKind::denied, "takes no anonymous requests: " + what, object);
            break;
        default: break;
    }
    if (action_of(answer) == RetryDecision::Action::slow_down)
        return Error(ErrorKind::throttled, "the origin asks for fewer requests: " + what, object);
    return error_of_status(answer.status, what, object);
}

ObjectChecksum md5_of(std::string_view base64) {
    ObjectChecksum out;
    if (auto raw = from_base64(base64); raw && raw->size() == 16)
        out.kind = ObjectChecksum::Kind::md5, out.raw = std::move(*raw);
    return out;
}

Result<ObjectChecksum> crc64_of(std::string_view base64) {
    if (base64.empty()) return ObjectChecksum{};
    auto raw = from_base64(base64);
    if (!raw || raw->size() != 8)
        return Error(ErrorKind::failed, "an x-ms-content-crc64 that is no CRC64: " + printable(base64.substr(0, 100)));
    std::reverse(raw->begin(), raw->end());
    return ObjectChecksum{ObjectChecksum::Kind::crc64nvme, std::move(*raw)};
}

ListParser::Root ListParser::root_of(std::string_view name) const {
    return name == "EnumerationResults" ? Root::page : name == "Error" ? Root::refusal : Root::other;
}

// EnumerationResults / Blobs / Blob / Name, Properties/*, Metadata/*; Blobs / BlobPrefix / Name; NextMarker.
void ListParser::start(std::string_view name) {
    if (name == "Name")
        name_encoded_ = reader_.attributes().find("Encoded=\"true\"") != std::string_view::npos ||
                        reader_.attributes().find("Encoded='true'") != std::string_view::npos;
    if (reader_.depth() != 3) return;
    if (name == "Blob") {
        inside_ = Inside::blob;
        entry_ = Entry{};
        size_seen_ = directory_ = marker_ = false;
    } else if (name == "BlobPrefix") {
        inside_ = Inside::prefix;
    }
}

Result<> ListParser::end(std::string_view name) {
    if (reader_.depth() == 1 && name == "NextMarker") {
        page_.next_token = text_;
        page_.truncated = !text_.empty();
    } else if (reader_.depth() == 2) {
        const Inside was = std::exchange(inside_, Inside::nothing);
        if (was == Inside::blob) return end_of_blob();
    } else if (inside_ == Inside::prefix && name == "Name") {
        ZCDP_TRY(std::string prefix, decoded_name());
        return add_prefix(std::move(prefix));
    } else if (inside_ == Inside::blob) {
        return blob_field(name);
    }
    return {};
}

/// Characters that XML cannot say come percent-encoded (since version 2021-02-12).
Result<std::string> ListParser::decoded_name() {
    std::string name = std::move(text_);
    if (name_encoded_ && !percent_decode(name, false))
        return Error(ErrorKind::refused, "malformed listing: a name that is not URL-encoded: " + printable(name));
    return name;
}

Result<> ListParser::blob_field(std::string_view name) {
    if (reader_.depth() == 3 && name == "Name") {
        ZCDP_TRY(entry_.path, decoded_name());
    } else if (name == "Etag") {
        entry_.tag = Tag(plain_tag(text_));
    } else if (name == "Content-Length") {
        if (!to_number(text_, entry_.size_bytes)) return bad("Content-Length is '" + printable(text_) + "'");
        size_seen_ = true;
    } else if (name == "ResourceType" && text_ == "directory") {
        directory_ = true;
    } else if (name == "hdi_isfolder" && text_ == "true") {
        marker_ = true;
    }
    return {};
}

Result<> ListParser::end_of_blob() {
    if (entry_.path.empty()) return bad("a blob without a Name");
    if (directory_) entry_.size_bytes = 0;
    // What a marker holds is not dropped here: a '/' at the end and bytes is refused by name, the other is a file.
    if (directory_ || (marker_ && entry_.size_bytes == 0) || entry_.path.ends_with('/')) {
        entry_.kind = EntryKind::directory;
        if (!entry_.path.ends_with('/')) entry_.path += '/';
    } else if (!size_seen_) {
        return Error(ErrorKind::refused, "malformed listing: no Content-Length", entry_.path);
    }
    if (entry_.tag.empty() && entry_.kind == EntryKind::file)
        return Error(ErrorKind::refused, "the listing has no Etag, so a change could not be noticed", entry_.path);
    return add_entry(std::move(entry_));
}

Result<ListPage> ListParser::finish() {
    ZCDP_CHECK(read_rest());
    if (root_ != Root::page) return bad("the root is no EnumerationResults");
    return std::move(page_);
}

}  // namespace zcdp::origin::azure
