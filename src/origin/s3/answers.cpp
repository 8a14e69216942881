#include "src/origin/s3/answers.hpp"

#include <fmt/format.h>

#include <charconv>

#include "src/origin/remote/answers.hpp"
#include "src/origin/remote/xml.hpp"
#include "zcdp/base/ascii.hpp"
#include "zcdp/base/base64.hpp"

namespace zcdp::origin::s3 {
namespace {

bool one_of(std::string_view code, std::initializer_list<std::string_view> codes) {
    for (const auto one : codes)
        if (code == one) return true;
    return false;
}

constexpr uint64_t kPartsMax = 10'000;

/// The status of an error's code (docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html); what is not listed here
/// is the service's own trouble.
int status_of(std::string_view code) {
    if (one_of(code, {"SlowDown", "SlowDownRead", "ServiceUnavailable", "Throttling", "ThrottlingException",
                      "TooManyRequests", "RequestLimitExceeded"}))
        return 503;
    if (one_of(code,
               {"AccessDenied", "AllAccessDisabled", "AccountProblem", "InvalidAccessKeyId", "InvalidObjectState",
                "InvalidPayer", "InvalidSecurity", "NotSignedUp", "RequestTimeTooSkewed", "SignatureDoesNotMatch"}))
        return 403;
    if (code == "NotImplemented") return 501;
    if (code == "PreconditionFailed") return 412;
    if (code.starts_with("NoSuch")) return 404;
    if (code.starts_with("Invalid") || code.starts_with("Malformed") ||
        one_of(code, {"AuthorizationHeaderMalformed", "ExpiredToken"}))
        return 400;
    return 500;
}

size_t raw_bytes_of(ObjectChecksum::Kind kind) {
    using Kind = ObjectChecksum::Kind;
    switch (kind) {
        case Kind::crc32:
        case Kind::crc32c: return 4;
        case Kind::crc64xz:
        case Kind::crc64nvme: return 8;
        case Kind::sha1: return 20;
        default: return 32;
    }
}

}  // namespace

ErrorAnswer parse_error(const net::Response& answer, std::string_view body) {
    ErrorAnswer error;
    error.status = answer.status();
    error.request_id = answer.header("x-amz-request-id");
    error.region = answer.header("x-amz-bucket-region");
    if (const auto leaves = xml_leaves(body)) {
        for (const auto& [name, text] : *leaves) {
            if (name == "Code") error.code = text;
            if (name == "Message") error.message = text;
            if (name == "Region" && error.region.empty()) error.region = text;
            if (name == "RequestId" && error.request_id.empty()) error.request_id = text;
        }
    }
    error.came_as_success = error.status / 100 == 2;
    if (error.came_as_success) error.status = status_of(error.code);
    return error;
}

Unknown is_unknown_feature(const ErrorAnswer& answer) {
    if (answer.status == 501 || one_of(answer.code, {"NotImplemented", "UnsupportedHeader", "UnsupportedArgument"}))
        return Unknown::surely;
    return answer.status == 400 &&
                   (answer.code.empty() || answer.code.starts_with("Invalid") || answer.code == "BadRequest")
               ? Unknown::perhaps
               : Unknown::no;
}

bool minds_header(const ErrorAnswer& answer, std::string_view header) {
    return answer.message.find(header) != std::string::npos;
}

// Tencent's, Alibaba's, Huawei's and Volcengine's codes; the rest say it in their own words, such as "must be addressed
// using virtual-hosted style". AWS's "must be addressed using the specified endpoint" is about the region.
bool wants_bucket_in_host(const ErrorAnswer& answer) {
    if (answer.status < 300 || answer.status >= 500) return false;
    if (one_of(answer.code, {"PathStyleDomainForbidden", "SecondLevelDomainForbidden", "VirtualHostDomainRequired",
                             "InvalidPathAccess"}))
        return true;
    std::string words = to_lower(answer.code + " " + answer.message);
    for (char& c : words) c = c == '-' || c == '_' ? ' ' : c;
    for (const char* phrase : {"virtual host", "virtualhost", "virtual style", "third level domain"})
        if (words.find(phrase) != words.npos) return true;
    const bool of_path = words.find("path style") != words.npos || words.find("pathstyle") != words.npos;
    const bool refused = words.find("not ") != words.npos || words.find("forbidden") != words.npos ||
                         words.find("disabled") != words.npos || words.find("unsupported") != words.npos;
    return of_path && refused;
}

Action action_of(const ErrorAnswer& answer) {
    const std::string& code = answer.code;
    if (wants_bucket_in_host(answer)) return Action::use_host;
    if (one_of(code, {"RequestTimeTooSkewed"})) return Action::correct_clock;
    if (one_of(code, {"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"}))
        return Action::refresh_credentials;
    const bool redirect = answer.status == 301 || answer.status == 307;
    if (!answer.region.empty() &&
        (redirect ||
         one_of(code, {"AuthorizationHeaderMalformed", "PermanentRedirect", "IllegalLocationConstraintException"}) ||
         (answer.status == 400 && code.empty())))
        return Action::use_region;
    if (answer.status == 503 || answer.status == 429 ||
        one_of(code, {"SlowDown", "Throttling", "ThrottlingException", "TooManyRequests", "RequestLimitExceeded",
                      "SlowDownRead"}))
        return Action::slow_down;
    if (answer.status >= 500 || answer.status == 408 ||
        one_of(code, {"RequestTimeout", "InternalError", "OperationAborted", "BadDigest"}))
        return answer.status == 501 ? Action::none : Action::retry;
    return Action::none;
}

Error error_of(const ErrorAnswer& answer, const std::string& object) {
    std::string what = words_of_refusal(answer.came_as_success, answer.status, answer.code, answer.message);
    if (!answer.request_id.empty()) what += " (request " + printable(answer.request_id.substr(0, 64)) + ")";
    const std::string& code = answer.code;
    if (wants_bucket_in_host(answer))
        return Error(ErrorKind::failed, "the origin takes no bucket in the path: " + what, object,
                     "leave --path-style and addressing_style out, and let --endpoint name a host, not an address");
    if (code == "NoSuchBucket")
        return Error(ErrorKind::not_found, "there is no such bucket: " + what, object,
                     "check its name and the --endpoint");
    // Also of Intelligent-Tiering's archive tiers, of which the listing says nothing, and at OSS.
    if (code == "InvalidObjectState")
        return Error(ErrorKind::refused, "is archived and cannot be read as it is: " + what, object,
                     "restore it first, or leave it out with --exclude");
    switch (answer.status) {
        case 404: return Error(ErrorKind::not_found, "there is no such object: " + what, object);
        case 401:
        case 403:
            return Error(ErrorKind::denied, "access is denied: " + what, object,
                         "check the credentials (AWS_ACCESS_KEY_ID, --profile) and the right to list and read");
        case 301:
        case 307:
            return Error(ErrorKind::failed,
                         "is served elsewhere, and redirects to other hosts are not followed: " + what, object,
                         "give the right --endpoint or --region");
        default: return error_of_status(answer.status, what, object);
    }
}

Error error_of_version(const ErrorAnswer& answer, const std::string& object) {
    const auto none = [&](const std::string& what) {
        return Error(ErrorKind::not_found, fmt::format("{}: HTTP {} {}", what, answer.status, printable(answer.code)),
                     object, "check the versionId");
    };
    if (answer.code == "NoSuchVersion" || (answer.status == 400 && answer.code == "InvalidArgument"))
        return none("there is no such version");
    if (answer.status == 405) return none("that version is a delete marker");
    return error_of(answer, object);
}

ObjectChecksum checksum_of(const net::Response& answer) {
    using Kind = ObjectChecksum::Kind;
    static constexpr std::pair<Kind, std::string_view> kHeaders[] = {{Kind::crc64nvme, "x-amz-checksum-crc64nvme"},
                                                                     {Kind::crc32c, "x-amz-checksum-crc32c"},
                                                                     {Kind::crc32, "x-amz-checksum-crc32"},
                                                                     {Kind::sha256, "x-amz-checksum-sha256"},
                                                                     {Kind::sha1, "x-amz-checksum-sha1"}};
    for (const auto& [kind, header] : kHeaders) {
        std::string_view value = answer.header(header);
        if (value.empty()) continue;
        ObjectChecksum checksum;
        checksum.kind = kind;
        // "BASE64-PARTS" is a sum of the parts' sums.
        if (const size_t dash = value.rfind('-'); dash != value.npos) {
            uint64_t parts = 0;
            if (!to_number(value.substr(dash + 1), parts) || parts == 0 || parts > kPartsMax) continue;
            checksum.parts = static_cast<uint32_t>(parts);
            value = value.substr(0, dash);
        } else if (answer.header("x-amz-checksum-type") == "COMPOSITE") {
            continue;
        }
        auto raw = from_base64(value);
        if (!raw || raw->size() != raw_bytes_of(kind)) continue;
        checksum.raw = std::move(*raw);
        return checksum;
    }
    return {};
}

}  // namespace zcdp::origin::s3
