#include "src/origin/http/html.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include "zcdp/base/ascii.hpp"

namespace zcdp::origin::http {
namespace {

constexpr size_t kLinksMax = 1'000'000, kTextBytes = 100;

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f'; }

/// Where `word` stands at or after `at`, in any case; npos when it does not.
size_t find_word(std::string_view body, std::string_view word, size_t at) {
    const auto found = std::search(body.begin() + static_cast<ptrdiff_t>(std::min(at, body.size())), body.end(),
                                   word.begin(), word.end(), [](char a, char b) { return to_lower(a) == b; });
    return found == body.end() ? body.npos : static_cast<size_t>(found - body.begin());
}

struct HtmlTag {
    std::string name;  ///< in small letters; a closing one's begins with '/'
    std::optional<std::string_view> href, type, charset, content;
    size_t end = 0;  ///< just behind it
};

/// Tags one after the other, as HTML's tokeniser finds them: a '>' in quotes ends none.
class Scanner {
  public:
    explicit Scanner(std::string_view body) : body_(body) {}

    /// Errors: refused: the page ends within one.
    Result<std::optional<HtmlTag>> next() {
        while (at_ < body_.size()) {
            const size_t open = std::min(body_.find('<', at_), body_.size());
            has_text_ = has_text_ || !std::all_of(body_.begin() + static_cast<ptrdiff_t>(at_),
                                                  body_.begin() + static_cast<ptrdiff_t>(open), is_blank);
            at_ = open + 1;
            if (at_ >= body_.size()) break;
            if (body_.substr(at_).starts_with("!--")) ZCDP_CHECK(skip_past("-->"));
            else if (body_[at_] == '!' || body_[at_] == '?') ZCDP_CHECK(skip_past(">"));
            else if (is_letter(body_[at_]) ||
                     (body_[at_] == '/' && at_ + 1 < body_.size() && is_letter(body_[at_ + 1])))
                return read_tag();
        }
        at_ = body_.size();
        return std::optional<HtmlTag>();
    }
    /// What stands before the closing tag of `name`; goes behind it.
    std::string_view take_until_closed(const std::string& name) {
        const size_t begin = at_, end = find_word(body_, "</" + name, at_);
        at_ = std::min(end, body_.size());
        return body_.substr(begin, at_ - begin);
    }
    bool has_text() const { return has_text_; }

  private:
    Error cut_off() const {
        return Error(ErrorKind::refused, "the page ends within a tag or a comment: it is not all there");
    }
    Result<> skip_past(std::string_view mark) {
        const size_t found = body_.find(mark, at_);
        if (found == body_.npos) return cut_off();
        at_ = found + mark.size();
        return {};
    }
    void skip(std::string_view these) { at_ = std::min(body_.find_first_not_of(these, at_), body_.size()); }
    std::string_view take(std::string_view until) {
        const size_t begin = at_;
        at_ = std::min(body_.find_first_of(until, at_), body_.size());
        return body_.substr(begin, at_ - begin);
    }

    Result<std::optional<HtmlTag>> read_tag() {
        HtmlTag tag;
        const size_t begin = at_;
        at_ += body_[at_] == '/';
        take(" \t\r\n\f/>");
        tag.name = to_lower(body_.substr(begin, at_ - begin));
        while (true) {
            skip(" \t\r\n\f/");
            if (at_ == body_.size()) return cut_off();
            if (body_[at_] == '>') break;
            ZCDP_CHECK(read_attribute(tag));
        }
        tag.end = ++at_;
        return std::optional(std::move(tag));
    }
    Result<> read_attribute(HtmlTag& tag) {
        const size_t begin = at_++;  // a '=' at its beginning is part of the name
        take(" \t\r\n\f/>=");
        const std::string name = to_lower(body_.substr(begin, at_ - begin));
        skip(" \t\r\n\f");
        if (at_ == body_.size() || body_[at_] != '=') return {};
        ++at_;
        skip(" \t\r\n\f");
        if (at_ == body_.size()) return cut_off();
        std::string_view value;
        if (const char quote = body_[at_]; quote == '"' || quote == '\'') {
            const size_t from = ++at_;
            at_ = body_.find(quote, at_);
            if (at_ == body_.npos) return cut_off();
            value = body_.substr(from, at_++ - from);
        } else {
            value = take(" \t\r\n\f>");
        }
        if (name == "href" && !tag.href) tag.href = value;
        if (name == "type" && !tag.type) tag.type = value;
        if (name == "charset" && !tag.charset) tag.charset = value;
        if (name == "content" && !tag.content) tag.content = value;
        return {};
    }

    std::string_view body_;
    size_t at_ = 0;
    bool has_text_ = false;
};

std::string utf8_of(uint32_t code) {
    std::string out;
    if (code < 0x80) return out += static_cast<char>(code);
    if (code < 0x800) return out += {static_cast<char>(0xc0 | code >> 6), static_cast<char>(0x80 | (code & 63))};
    if (code < 0x10000)
        return out += {static_cast<char>(0xe0 | code >> 12), static_cast<char>(0x80 | (code >> 6 & 63)),
                       static_cast<char>(0x80 | (code & 63))};
    return out += {static_cast<char>(0xf0 | code >> 18), static_cast<char>(0x80 | (code >> 12 & 63)),
                   static_cast<char>(0x80 | (code >> 6 & 63)), static_cast<char>(0x80 | (code & 63))};
}

/// The names of U+00A0 to U+00FF, one after the other.
constexpr std::string_view kLatinNames =
    "nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 sup3 acute "
    "micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest "
    "Agrave Aacute Acirc Atilde Auml Aring AElig Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde "
    "Ograve Oacute Ocirc Otilde Ouml times Oslash Ugrave Uacute Ucirc Uuml Yacute THORN szlig "
    "agrave aacute acirc atilde auml aring aelig ccedil egrave eacute ecirc euml igrave iacute icirc iuml eth ntilde "
    "ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc uuml yacute thorn yuml ";

/// What a character's name stands for; 0 when it is none of those known.
uint32_t code_of_name(std::string_view name) {
    static constexpr std::pair<std::string_view, char> kPlain[] = {{"amp", '&'},  {"lt", '<'},    {"gt", '>'},
                                                                   {"quot", '"'}, {"apos", '\''}, {"AMP", '&'},
                                                                   {"LT", '<'},   {"GT", '>'},    {"QUOT", '"'}};
    for (const auto& [plain, c] : kPlain)
        if (name == plain) return static_cast<unsigned char>(c);
    uint32_t code = 0xa0;
    for (size_t begin = 0; begin < kLatinNames.size(); ++code) {
        const size_t end = kLatinNames.find(' ', begin);
        if (kLatinNames.substr(begin, end - begin) == name) return code;
        begin = end + 1;
    }
    return 0;
}

/// "&#43;", "&#x2b;" or "&amp;" at the beginning of `text`: the code point, and the bytes it takes; 0 when it is none.
std::pair<uint32_t, size_t> reference(std::string_view text) {
    const size_t end = text.substr(0, 16).find(';');
    if (end == text.npos || end < 2) return {0, 0};
    if (text[1] != '#') return {code_of_name(text.substr(1, end - 1)), end + 1};
    const bool hex = to_lower(text[2]) == 'x';
    uint32_t code = 0;
    const auto [at, error] = std::from_chars(text.data() + (hex ? 3 : 2), text.data() + end, code, hex ? 16 : 10);
    if (at != text.data() + end) return {0, 0};
    const bool is_character = error == std::errc() && code > 0 && code <= 0x10ffff && (code < 0xd800 || code >= 0xe000);
    return {is_character ? code : 0xfffd, end + 1};  // as browsers have it
}

}  // namespace

Result<HtmlPage> parse_html(std::string_view body, bool cut) {
    HtmlPage page;
    Scanner scanner(body);
    while (true) {
        auto tag = scanner.next();
        if (!tag && cut) break;
        if (!tag) return std::move(tag).error();
        if (!*tag) break;
        const std::string& name = (*tag)->name;
        if (name == "a" && (*tag)->href) page.links.push_back({*(*tag)->href, body.substr((*tag)->end, kTextBytes)});
        else if (name == "base" && (*tag)->href && page.base.empty()) page.base = *(*tag)->href;
        else if (name == "title" || name == "h1" || name == "h2")
            page.heading += to_lower(scanner.take_until_closed(name)) + " ";
        else if (name == "script" || name == "style" || name == "textarea" || name == "xmp" || name == "iframe")
            scanner.take_until_closed(name);
        else if (name == "pre") page.has_pre = true;
        else if (name == "meta" && page.charset.empty())
            page.charset = (*tag)->charset ? to_lower(*(*tag)->charset) : charset_of((*tag)->content.value_or(""));
        else if (name == "input" && (*tag)->type && to_lower(*(*tag)->type) == "password") page.has_password = true;
        if (page.links.size() > kLinksMax) return Error(ErrorKind::refused, "the index has more than 1,000,000 links");
    }
    page.has_text = scanner.has_text();
    return page;
}

std::string attribute_text(std::string_view text, std::string_view charset) {
    const bool latin = charset == "iso-8859-1" || charset == "latin1" || charset == "windows-1252";
    std::string out;
    while (!text.empty()) {
        if (const auto [code, bytes] = text[0] == '&' ? reference(text) : std::pair<uint32_t, size_t>();
            bytes > 0 && code > 0) {
            out += utf8_of(code);
            text.remove_prefix(bytes);
            continue;
        }
        const auto byte = static_cast<unsigned char>(text[0]);
        if (latin && byte >= 0x80) out += utf8_of(byte);
        else out += text[0];
        text.remove_prefix(1);
    }
    return out;
}

std::string charset_of(std::string_view content_type) {
    const std::string type = to_lower(content_type);
    size_t at = type.find("charset=");
    if (at == type.npos) return "";
    at += 8 + (at + 8 < type.size() && type[at + 8] == '"');
    return type.substr(at, std::min(type.find_first_of("\"; \t", at), type.size()) - at);
}

}  // namespace zcdp::origin::http
