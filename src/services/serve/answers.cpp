#include "answers.hpp"

#include <fmt/format.h>

#include "uri.hpp"
#include "zcdp/base/clock.hpp"
#include "zcdp/base/digest.hpp"
#include "zcdp/base/percent.hpp"

namespace zcdp::services::serve {
namespace {

constexpr std::string_view kHead = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
constexpr std::string_view kNamespace = "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"";

void append_xml(std::string& out, std::string_view text) {
    size_t plain = 0;  // from where on nothing was written yet
    const auto put = [&](size_t at, std::string_view instead) {
        out.append(text, plain, at - plain).append(instead);
        plain = at + 1;
    };
    for (size_t i = 0; i < text.size(); ++i) {
        switch (text[i]) {
            case '&': put(i, "&amp;"); break;
            case '<': put(i, "&lt;"); break;
            case '>': put(i, "&gt;"); break;
            case '"': put(i, "&quot;"); break;
            default:
                if (const auto byte = static_cast<unsigned char>(text[i]); byte < 0x20)
                    put(i, fmt::format("&#x{:x};", byte));
        }
    }
    out.append(text, plain);
}

void field(std::string& out, std::string_view name, std::string_view text) {
    out.append("<").append(name).append(">");
    append_xml(out, text);
    out.append("</").append(name).append(">");
}

void key_field(std::string& out, std::string_view name, std::string_view key, bool url_encoded) {
    if (!url_encoded) return field(out, name, key);
    std::string encoded;
    append_uri_encoded(encoded, key, true);
    field(out, name, encoded);
}

Answer xml(std::string body) { return {200, "Content-Type: application/xml\r\n", std::move(body)}; }

}  // namespace

Answer error_answer(int status, std::string_view code, std::string_view message, std::string_view resource) {
    Answer answer = xml(std::string(kHead) + "<Error>");
    answer.status = status;
    field(answer.body, "Code", code);
    field(answer.body, "Message", message);
    field(answer.body, "Resource", resource);
    answer.body += "</Error>";
    return answer;
}

Answer bucket_property(std::string_view name) { return xml(fmt::format("{}<{} {}/>", kHead, name, kNamespace)); }

Answer list_buckets(const std::vector<std::string>& buckets) {
    std::string body = std::string(kHead) + "<ListAllMyBucketsResult " + std::string(kNamespace) +
                       "><Owner><ID>zcdp</ID><DisplayName>zcdp</DisplayName></Owner><Buckets>";
    for (const std::string& bucket : buckets) {
        body += "<Bucket>";
        field(body, "Name", bucket);
        body += "<CreationDate>2006-02-03T16:45:09.000Z</CreationDate></Bucket>";
    }
    return xml(body + "</Buckets></ListAllMyBucketsResult>");
}

std::string token_for(std::string_view from) { return "z" + to_hex_of(from); }

bool from_token(std::string_view token, std::string& from) {
    if (!token.starts_with('z') || token.size() % 2 != 1) return false;
    from.clear();
    for (size_t i = 1; i < token.size(); i += 2) {
        int value = 0;
        for (const char c : token.substr(i, 2)) {
            const size_t digit = std::string_view("0123456789abcdef").find(c);
            if (digit == std::string_view::npos) return false;
            value = value * 16 + static_cast<int>(digit);
        }
        from += static_cast<char>(value);
    }
    return true;
}

Answer list_objects(const ListRequest& request, const ListPage& page) {
    std::string body = std::string(kHead) + "<ListBucketResult " + std::string(kNamespace) + ">";
    const bool encoded = request.url_encoded;
    field(body, "Name", request.bucket);
    key_field(body, "Prefix", request.prefix, encoded);
    if (!request.delimiter.empty()) key_field(body, "Delimiter", request.delimiter, encoded);
    field(body, "MaxKeys", std::to_string(request.max_keys));
    if (encoded) field(body, "EncodingType", "url");
    field(body, "IsTruncated", page.truncated ? "true" : "false");
    if (request.version_2) {
        field(body, "KeyCount", std::to_string(page.entries.size()));
        if (!request.token.empty()) field(body, "ContinuationToken", request.token);
        if (!request.start_after.empty()) key_field(body, "StartAfter", request.start_after, encoded);
        if (page.truncated) field(body, "NextContinuationToken", token_for(page.next_from));
    } else {
        key_field(body, "Marker", request.marker, encoded);
        if (page.truncated && !page.entries.empty()) key_field(body, "NextMarker", page.entries.back().name, encoded);
    }
    for (const ListEntry& entry : page.entries) {
        if (entry.is_common_prefix) {
            body += "<CommonPrefixes>";
            key_field(body, "Prefix", entry.name, encoded);
            body += "</CommonPrefixes>";
            continue;
        }
        body += "<Contents>";
        key_field(body, "Key", entry.name, encoded);
        std::string when = iso8601(entry.stat.modified_s());
        when.replace(when.size() - 1, 1, ".000Z");
        field(body, "LastModified", when);
        field(body, "ETag", etag(entry.stat));
        field(body, "Size", std::to_string(entry.stat.size_bytes));
        body += "<StorageClass>STANDARD</StorageClass></Contents>";
    }
    body += "</ListBucketResult>";
    return xml(std::move(body));
}

}  // namespace zcdp::services::serve
