#include "src/origin/remote/xml.hpp"

#include <charconv>
#include <cstdint>

namespace zcdp::origin {
namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

bool all_space(std::string_view text) {
    for (char c : text)
        if (!is_space(c)) return false;
    return true;
}

bool is_name_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.' || c == ':';
}

void append_utf8(std::string& to, uint32_t c) {
    const auto put = [&](uint32_t byte) { to.push_back(static_cast<char>(byte)); };
    if (c < 0x80) return put(c);
    if (c < 0x800) return put(0xc0 | c >> 6), put(0x80 | (c & 0x3f));
    if (c < 0x10000) return put(0xe0 | c >> 12), put(0x80 | (c >> 6 & 0x3f)), put(0x80 | (c & 0x3f));
    put(0xf0 | c >> 18), put(0x80 | (c >> 12 & 0x3f)), put(0x80 | (c >> 6 & 0x3f)), put(0x80 | (c & 0x3f));
}

/// The reference between '&' and ';'. Control characters pass: S3 writes them so, against XML 1.0.
bool append_reference(std::string& to, std::string_view reference) {
    if (reference == "amp") return to.push_back('&'), true;
    if (reference == "lt") return to.push_back('<'), true;
    if (reference == "gt") return to.push_back('>'), true;
    if (reference == "quot") return to.push_back('"'), true;
    if (reference == "apos") return to.push_back('\''), true;
    if (!reference.starts_with('#')) return false;
    reference.remove_prefix(1);
    const bool hex = reference.starts_with('x');
    if (hex) reference.remove_prefix(1);
    uint32_t code = 0;
    const char* end = reference.data() + reference.size();
    const auto [stop, error] = std::from_chars(reference.data(), end, code, hex ? 16 : 10);
    if (error != std::errc{} || stop != end || reference.size() > 8) return false;
    if (code == 0 || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return false;
    append_utf8(to, code);
    return true;
}

/// Whether what follows the name in a start tag is attributes and nothing else; their values are not used.
bool attributes_valid(std::string_view rest) {
    size_t at = 0;
    const auto skip_space = [&] {
        while (at < rest.size() && is_space(rest[at])) at++;
    };
    for (skip_space(); at < rest.size(); skip_space()) {
        const size_t name_at = at;
        while (at < rest.size() && is_name_char(rest[at])) at++;
        if (at == name_at) return false;
        skip_space();
        if (at == rest.size() || rest[at++] != '=') return false;
        skip_space();
        if (at == rest.size() || (rest[at] != '"' && rest[at] != '\'')) return false;
        const size_t close = rest.find(rest[at], at + 1);
        if (close == std::string_view::npos) return false;
        at = close + 1;
        if (at < rest.size() && !is_space(rest[at])) return false;
    }
    return true;
}

std::string_view local_name(std::string_view name) {
    const size_t colon = name.find(':');
    return colon == std::string_view::npos ? name : name.substr(colon + 1);
}

}  // namespace

void XmlReader::feed(std::string_view bytes) {
    document_bytes_ += bytes.size();
    if (document_bytes_ > kXmlDocumentBytesMax) fail("the document is longer than 16 MiB");
    if (!problem_.empty()) return;
    buffer_.erase(0, at_);
    at_ = 0;
    buffer_.append(bytes);
}

XmlReader::Event XmlReader::fail(std::string problem) {
    if (problem_.empty()) problem_ = std::move(problem);
    return Event::bad;
}

XmlReader::Event XmlReader::incomplete(const char* what) {
    if (buffer_.size() - at_ > kXmlTokenBytesMax) return fail(std::string(what) + " is longer than 16 KiB");
    if (finished_) return fail("the document ends early");
    return Event::need_more;
}

XmlReader::Event XmlReader::next() {
    Event event;
    do {
        passed_over_ = false;
        event = step();
    } while (passed_over_);
    return event;
}

/// What is no event of its own is passed over: another step follows.
XmlReader::Event XmlReader::pass_over() {
    passed_over_ = true;
    return Event::need_more;
}

XmlReader::Event XmlReader::step() {
    if (!problem_.empty()) return Event::bad;
    if (end_pending_) {
        end_pending_ = false;
        name_ = open_[--depth_];
        return Event::end;
    }
    if (!begun_) {
        if (const Event event = read_declaration(); event != Event::start) return event;
    }
    if (at_ == buffer_.size()) {
        if (!finished_) return Event::need_more;
        return root_seen_ && depth_ == 0 ? Event::done : fail("the document ends early");
    }
    return buffer_[at_] == '<' ? read_tag() : read_text();
}

/// Skips a byte order mark; `start` means that the document proper can begin.
XmlReader::Event XmlReader::read_declaration() {
    constexpr std::string_view kMark = "\xef\xbb\xbf";
    const std::string_view rest = std::string_view(buffer_).substr(at_);
    if (rest.size() < kMark.size() && !finished_) return Event::need_more;
    if (rest.starts_with(kMark)) at_ += kMark.size();
    begun_ = true;
    return Event::start;
}

XmlReader::Event XmlReader::read_text() {
    const std::string_view rest = std::string_view(buffer_).substr(at_);
    size_t length = rest.find('<');
    if (depth_ == 0) {
        if (length == std::string_view::npos) length = rest.size();
        if (!all_space(rest.substr(0, length))) return fail("text outside of the root element");
        at_ += length;
        return pass_over();
    }
    if (length == std::string_view::npos) return incomplete("a text");
    if (length > kXmlTokenBytesMax) return fail("a text is longer than 16 KiB");
    const std::string_view raw = rest.substr(0, length);
    at_ += length;
    text_ = raw;
    if (raw.find('&') != std::string_view::npos && !decode_entities(raw))
        return fail("an entity that is not XML's own");
    return Event::text;
}

bool XmlReader::decode_entities(std::string_view raw) {
    decoded_.clear();
    for (size_t at = 0; at < raw.size();) {
        if (raw[at] != '&') {
            const size_t run = std::min(raw.find('&', at), raw.size());
            decoded_.append(raw.substr(at, run - at));
            at = run;
            continue;
        }
        const size_t close = raw.find(';', at);
        if (close == std::string_view::npos || !append_reference(decoded_, raw.substr(at + 1, close - at - 1)))
            return false;
        at = close + 1;
    }
    text_ = decoded_;
    return true;
}

XmlReader::Event XmlReader::read_tag() {
    const std::string_view rest = std::string_view(buffer_).substr(at_);
    if (rest.size() < 2) return incomplete("a tag");
    if (rest[1] == '!' || rest[1] == '?') return read_other();
    // A '>' inside an attribute's value is not written by any service; refusing it keeps the scan one memchr.
    const size_t close_at = rest.find('>');
    if (close_at == std::string_view::npos) return incomplete("a tag");
    if (close_at > kXmlTokenBytesMax) return fail("a tag is longer than 16 KiB");
    at_ += close_at + 1;
    return rest[1] == '/' ? close(rest.substr(2, close_at - 2)) : open(rest.substr(1, close_at - 1));
}

/// What is no tag: the declaration and other instructions, comments, CDATA.
XmlReader::Event XmlReader::read_other() {
    struct Form {
        std::string_view begin, end;
    };
    static constexpr Form kForms[] = {{"<?", "?>"}, {"<!--", "-->"}, {"<![CDATA[", "]]>"}};
    const std::string_view rest = std::string_view(buffer_).substr(at_);
    for (const auto& [begin, end] : kForms) {
        if (rest.size() < begin.size() && begin.starts_with(rest)) return incomplete("a tag");
        if (!rest.starts_with(begin)) continue;
        const size_t close_at = rest.find(end, begin.size());
        if (close_at == std::string_view::npos) return incomplete("a comment or CDATA");
        if (close_at > kXmlTokenBytesMax) return fail("a comment or CDATA is longer than 16 KiB");
        at_ += close_at + end.size();
        if (begin != kForms[2].begin) return pass_over();
        if (depth_ == 0) return fail("text outside of the root element");
        text_ = rest.substr(begin.size(), close_at - begin.size());
        return Event::text;
    }
    return fail("a document type");
}

XmlReader::Event XmlReader::open(std::string_view tag) {
    const bool empty = tag.ends_with('/');
    if (empty) tag.remove_suffix(1);
    size_t length = 0;
    while (length < tag.size() && is_name_char(tag[length])) length++;
    if (length == 0) return fail("a tag without a name");
    if (length < tag.size() && (!is_space(tag[length]) || !attributes_valid(tag.substr(length))))
        return fail("a tag with malformed attributes");
    if (depth_ == kXmlDepthMax) return fail("elements nest deeper than 8");
    if (depth_ == 0 && root_seen_) return fail("a second root element");
    root_seen_ = true;
    open_[depth_].assign(local_name(tag.substr(0, length)));
    name_ = open_[depth_++];
    attributes_ = tag.substr(length);
    end_pending_ = empty;
    return Event::start;
}

XmlReader::Event XmlReader::close(std::string_view tag) {
    while (!tag.empty() && is_space(tag.back())) tag.remove_suffix(1);
    if (depth_ == 0 || local_name(tag) != open_[depth_ - 1]) return fail("an end tag that closes nothing");
    name_ = open_[--depth_];
    return Event::end;
}

Result<std::vector<std::pair<std::string, std::string>>> xml_leaves(std::string_view document) {
    XmlReader reader;
    reader.feed(document);
    reader.finish();
    std::vector<std::pair<std::string, std::string>> leaves;
    std::string text;
    bool leaf = false;
    while (true) {
        switch (reader.next()) {
            case XmlReader::Event::start: leaf = true, text.clear(); break;
            case XmlReader::Event::text: text.append(reader.text()); break;
            case XmlReader::Event::end:
                if (leaf) leaves.emplace_back(reader.name(), text);
                leaf = false;
                break;
            case XmlReader::Event::done: return leaves;
            case XmlReader::Event::need_more:
            case XmlReader::Event::bad: return Error(ErrorKind::failed, "malformed XML: " + reader.problem());
        }
    }
}

}  // namespace zcdp::origin
