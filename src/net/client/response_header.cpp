#include "src/net/client/response_header.hpp"

#include <charconv>

#include "zcdp/base/ascii.hpp"

namespace zcdp::net {
namespace {

Error malformed(const char* what) { return Error(ErrorKind::failed, std::string("the answer is not HTTP: ") + what); }

bool is_token(std::string_view name) {
    if (name.empty()) return false;
    for (const char c : name) {
        if (!is_letter_or_digit(c) && std::string_view("!#$%&'*+-.^_`|~").find(c) == std::string_view::npos)
            return false;
    }
    return true;
}

/// Lines end in CR LF, or in LF alone (RFC 9112 2.2).
std::string_view without_return(std::string_view line) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
}

/// Of the header that `bytes` begins with, with its empty line; 0: it has not ended yet.
size_t length_of(std::string_view bytes) {
    for (size_t at = bytes.find('\n'); at != bytes.npos; at = bytes.find('\n', at + 1)) {
        if (bytes.substr(at + 1, 1) == "\n") return at + 2;
        if (bytes.substr(at + 1, 2) == "\r\n") return at + 3;
    }
    return 0;
}

/// A field that goes on in a line that begins with a blank is one line (RFC 9112 5.2); the status line cannot.
void unfold(std::string& header, size_t status_line_end) {
    for (size_t at = header.find('\n', status_line_end + 1); at != header.npos; at = header.find('\n', at + 1)) {
        if (at + 1 == header.size() || (header[at + 1] != ' ' && header[at + 1] != '\t')) continue;
        header[at] = ' ';
        if (header[at - 1] == '\r') header[at - 1] = ' ';
    }
}

bool has_word(std::string_view list, std::string_view word) {
    while (!list.empty()) {
        const size_t comma = list.find(',');
        if (equal_ignoring_case(trimmed(list.substr(0, comma)), word)) return true;
        list = comma == list.npos ? std::string_view() : list.substr(comma + 1);
    }
    return false;
}

}  // namespace

Result<size_t> ResponseHeader::parse(std::string_view bytes, LimitsOfHeader limits) {
    const size_t length = length_of(bytes);
    if (length == 0) {
        if (bytes.size() >= limits.bytes_max) return malformed("its header is over the limit");
        // What cannot become a status line is refused at once.
        const std::string_view begin = "HTTP/1.";
        if (bytes.substr(0, begin.size()) != begin.substr(0, bytes.size())) return malformed("no status line");
        return size_t{0};
    }
    if (length > limits.bytes_max) return malformed("its header is over the limit");
    bytes_.assign(bytes.substr(0, length));
    fields_.clear();
    content_length_.reset();
    chunked_ = false;
    const size_t line_end = bytes_.find('\n');
    unfold(bytes_, line_end);
    ZCDP_CHECK(parse_status_line(without_return(std::string_view(bytes_).substr(0, line_end))));
    ZCDP_CHECK(parse_fields(line_end + 1, limits.fields_max));
    if (chunked_ && content_length_) {  // the chunks count, and nothing more is read from who says both
        content_length_.reset();
        keep_alive_ = false;
    }
    return length;
}

Result<> ResponseHeader::parse_status_line(std::string_view line) {
    if (line.size() < 12 || !line.starts_with("HTTP/1.") || (line[7] != '0' && line[7] != '1') || line[8] != ' ' ||
        (line.size() > 12 && line[12] != ' '))
        return malformed("no status line");
    const auto [end, error] = std::from_chars(line.data() + 9, line.data() + 12, status_);
    if (error != std::errc() || end != line.data() + 12 || status_ < 100) return malformed("no status");
    keep_alive_ = line[7] == '1';
    return {};
}

Result<> ResponseHeader::parse_fields(size_t begin, size_t fields_max) {
    while (true) {
        const size_t end = bytes_.find('\n', begin);
        const std::string_view line = without_return(std::string_view(bytes_).substr(begin, end - begin));
        if (line.empty()) return {};  // the header's end
        const size_t colon = line.find(':');
        if (colon == line.npos || !is_token(line.substr(0, colon))) return malformed("a header field without a name");
        const std::string_view value = trimmed(line.substr(colon + 1));
        for (const char c : value)
            if (static_cast<unsigned char>(c) < 0x20 && c != '\t') return malformed("a control byte in a header field");
        if (fields_.size() == fields_max) return malformed("too many header fields");
        fields_.push_back({{static_cast<uint32_t>(begin), static_cast<uint32_t>(colon)},
                           {static_cast<uint32_t>(value.data() - bytes_.data()), static_cast<uint32_t>(value.size())}});
        ZCDP_CHECK(note(line.substr(0, colon), value));
        begin = end + 1;
    }
}

/// The fields that frame the body.
Result<> ResponseHeader::note(std::string_view name, std::string_view value) {
    if (equal_ignoring_case(name, "content-length")) {
        return note_length(value);
    } else if (equal_ignoring_case(name, "transfer-encoding")) {
        if (equal_ignoring_case(value, "identity")) return {};  // of before RFC 7230: none
        if (!equal_ignoring_case(value, "chunked")) return malformed("a transfer encoding that was not asked for");
        chunked_ = true;
    } else if (equal_ignoring_case(name, "connection")) {
        if (has_word(value, "close")) keep_alive_ = false;
        if (has_word(value, "keep-alive") && !has_word(value, "close")) keep_alive_ = true;
    }
    return {};
}

/// One that was said twice may have been joined on the way: "5, 5" (RFC 9110 8.6).
Result<> ResponseHeader::note_length(std::string_view values) {
    while (true) {
        const size_t comma = values.find(',');
        const std::string_view value = trimmed(values.substr(0, comma));
        uint64_t length = 0;
        const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), length);
        if (value.empty() || error != std::errc() || end != value.data() + value.size())
            return malformed("a Content-Length that is no number");
        if (content_length_ && *content_length_ != length) return malformed("two lengths");
        content_length_ = length;
        if (comma == values.npos) return {};
        values.remove_prefix(comma + 1);
    }
}

std::string_view ResponseHeader::field(std::string_view name) const {
    for (const auto& [key, value] : fields_)
        if (equal_ignoring_case(text(key), name)) return text(value);
    return {};
}

}  // namespace zcdp::net
